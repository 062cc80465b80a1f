"use strict";
// Sorts a table by the column whose heading is pressed; cells without a number come last.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const row = heading.parentElement;
    const body = heading.closest("table").tBodies[0];
    const place = [...row.children].indexOf(heading);
    const descending = heading.getAttribute("aria-sort") !== "descending";
    for (const other of row.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const key = (line) => line.children[place].dataset.value;
    const sorted = [...body.rows].sort((one, two) => {
      const [a, b] = [key(one), key(two)];
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
      const [x, y] = [Number(a), Number(b)];
      const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
      return descending ? -order : order;
    });
    body.append(...sorted);
  });
}
// Starting a player pauses all others.
document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) if (player !== event.target) player.pause();
}, true);
