"""Makes pages of emoji and public-domain texts.

    text           paragraphs of State of the Union addresses and of Moby-Dick, one in twenty aside
    pairs          each emoji with its name
    interleaved    three emoji of a kind, each after its name
    questions      of each emoji its kind, and yes/no questions, half of which have the answer yes

Emoji are kept aside by name, so no emoji of a page kept aside was ever seen. Skin tones are left
out: they would be half of all pictures, with the same names. Every call makes the same pages.
"""

import argparse
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import atomic_directory
from latentvision.data.sources.emoji import EmojiImages, EmojiSplit
from recipes.mllm.page_set import PICTURES, write_pages

TEXTS = ("datasets-sotu", "datasets-moby-dick")
EMOJI = "datasource-google"
_VALID_ONE_IN = 20
_PAGE_BYTES = 2000  # about, of a page of text
_OF_A_PAGE = 3  # pictures of an interleaved page
# What an emoji of a category is called in a question.
KINDS = {
    "Activities": "an activity",
    "Animals & Nature": "an animal or a plant",
    "Component": "a part",
    "Flags": "a flag",
    "Food & Drink": "food or drink",
    "Objects": "an object",
    "People & Body": "a person",
    "Smileys & Emotion": "a face or a feeling",
    "Symbols": "a symbol",
    "Travel & Places": "a place or a vehicle",
}
_SKIN_TONES = tuple(f"-1f3f{digit}" for digit in "bcdef")
_SPLITS: dict[str, EmojiSplit] = {"train": "train", "valid": "test"}


class Emoji(NamedTuple):
    """A picture of the pages."""

    file: str  # as pages name it
    name: str
    kind: str


def read_emoji(folder: Path, split: str, pictures: Path) -> list[Emoji]:
    """The emoji of a split without skin tones; their pictures are copied into `pictures`/split."""
    source = EmojiImages(folder, _SPLITS[split])
    (pictures / split).mkdir(parents=True)
    found = []
    for number in range(source.num_shards):
        for index in source.shard(number):
            record = source.record(index)
            if record.label is None or any(tone in record.id for tone in _SKIN_TONES):
                continue
            file = f"{split}/{record.id}.png"
            shutil.copyfile(folder / "img/google/64" / f"{record.id}.png", pictures / file)
            name = " ".join(record.text.replace("-", " ").split())
            found.append(Emoji(file, name, KINDS[source.class_names[record.label]]))
    return sorted(found)


def pairs(emoji: Sequence[Emoji]) -> list[dict[str, Any]]:
    """Each picture with its name."""
    return [{"picture": one.file, "caption": one.name} for one in emoji]


def interleaved(emoji: Sequence[Emoji], chance: random.Random) -> list[dict[str, Any]]:
    """Pages of three emoji of a kind; each emoji is on one page in each of three rounds."""
    pages = []
    for _ in range(3):
        by_kind: dict[str, list[Emoji]] = {}
        for one in chance.sample(emoji, len(emoji)):
            by_kind.setdefault(one.kind, []).append(one)
        for kind, members in by_kind.items():
            for start in range(0, len(members), _OF_A_PAGE):
                parts: list[dict[str, str]] = []
                for one in members[start : start + _OF_A_PAGE]:
                    lead = f"{kind}: " if not parts else ", "
                    parts += [{"text": f"{lead}{one.name} "}, {"picture": one.file}]
                pages.append({"parts": parts})
    return pages


def questions(emoji: Sequence[Emoji], chance: random.Random) -> list[dict[str, Any]]:
    """Of each emoji its kind, one question with the answer yes, and one with the answer no.

    Each yes/no question has both answers equally often, as far as there are other emoji, so that
    its text alone says nothing about its answer. Each question has a page of its own, since one
    answer would give away the next.
    """
    wanted = [one.kind for one in emoji]
    # Emoji of the largest kind go first: it has the fewest others that could be asked about.
    order = sorted(emoji, key=lambda one: (-wanted.count(one.kind), one))
    chance.shuffle(wanted)
    pages = []
    for one in order:
        asked = [("What kind of thing is it?", one.kind), (f"Is it {one.kind}?", "yes")]
        place = next((i for i, kind in enumerate(wanted) if kind != one.kind), None)
        if place is not None:
            asked.append((f"Is it {wanted.pop(place)}?", "no"))
        pages += [
            {"parts": [{"picture": one.file}, {"question": question}, {"answer": answer}]}
            for question, answer in asked
        ]
    return chance.sample(pages, len(pages))


def texts(downloads: Path) -> dict[str, list[dict[str, Any]]]:
    """Pages of text by split."""
    found: dict[str, list[dict[str, Any]]] = {"train": [], "valid": []}
    for name in TEXTS:
        files = sorted((downloads / name / "data").glob("*.json"))
        documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        # The folders hold lists besides: of stop words, of chapters.
        whole = [row["text"] for row in documents if isinstance(row, dict) and "text" in row]
        if not whole:
            raise DataError(f"no texts in {downloads / name}; remove the folder and run again")
        for number, piece in enumerate(piece for text in whole for piece in pieces(text)):
            split = "train" if number % _VALID_ONE_IN else "valid"
            found[split].append({"text": piece})
    return found


def pieces(text: str) -> Iterator[str]:
    """Cuts a text into runs of sentences of about 2,000 bytes."""
    words, length = [], 0
    for word in text.split():
        words.append(word)
        length += len(word) + 1
        if length > _PAGE_BYTES and word.endswith((".", "?", "!")):
            yield " ".join(words)
            words, length = [], 0
    if words:
        yield " ".join(words)


def make_pages(downloads: Path, out: Path) -> None:
    """Writes all pages; the folder appears as a whole."""
    of_text = texts(downloads)
    with atomic_directory(out) as temporary:
        for split in _SPLITS:
            chance = random.Random(split)
            emoji = read_emoji(downloads / f"emoji-{EMOJI}", split, temporary / PICTURES)
            write_pages(temporary, split, "text", of_text[split])
            write_pages(temporary, split, "pairs", pairs(emoji))
            write_pages(temporary, split, "interleaved", interleaved(emoji, chance))
            write_pages(temporary, split, "questions", questions(emoji, chance))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--downloads", type=Path, required=True, help="unpacked npm packages")
    parser.add_argument("--out", type=Path, required=True, help="folder; made anew if it exists")
    arguments = parser.parse_args()
    make_pages(arguments.downloads, arguments.out)


if __name__ == "__main__":
    run_recipe(main)
