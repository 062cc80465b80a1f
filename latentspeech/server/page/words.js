// Shows the words of a speech when their times are known, and marks the one that sounds.

export class Words {
  constructor(place) {
    this.place = place;
    this.clear();
  }

  clear() {
    this.words = [];
    this.marked = null;
    this.place.replaceChildren();
  }

  // Adds words, each with `word`, and `start` and `end` in s of the speech.
  add(words) {
    for (const { word, start, end } of words) {
      const item = document.createElement("span");
      item.textContent = word;
      this.place.append(item, " ");
      this.words.push({ item, start, end });
    }
  }

  // Marks the word that sounds at `seconds` of the speech; null: nothing is heard.
  mark(seconds) {
    const begun = seconds === null ? null : this.words.findLast(({ start }) => start <= seconds);
    const item = begun && seconds < begun.end ? begun.item : null;
    if (item === this.marked) return;
    this.marked?.removeAttribute("aria-current");
    this.marked = item;
    if (!item) return;
    item.setAttribute("aria-current", "true");
    const { place } = this;
    const isSeen = item.offsetTop >= place.scrollTop
      && item.offsetTop + item.offsetHeight <= place.scrollTop + place.clientHeight;
    if (!isSeen) place.scrollTop = item.offsetTop;
  }
}
