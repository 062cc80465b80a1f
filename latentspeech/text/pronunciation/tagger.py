"""Parts of speech by a small linear model over hashed features, from left to right.

Each word is given the tag whose sum of feature weights is highest; the features are the word, its
ending, its neighbours and the two tags before it. A feature's weights stand in the row that its
hash names, so the model needs no dictionary, only one matrix of bytes. Averaged perceptron (Collins
2002), trained by `recipes/tagger/train.py`; its card is `weights/README.md`.

F features of a word, K tags.
"""

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Pronouns that can be a subject (PPS) and others (PPO); CS is a conjunction that opens a clause;
# VB is the plain form of a verb, in the present too; BE, HV and DO are all forms of those three.
TAGS = tuple(
    """NN NNS NNP VB VBZ VBD VBN VBG BE HV DO MD JJ RB RP DT IN CS TO PPS PPO PRP$ CC CD W EX UH
    . , :""".split()  # noqa: SIM905 - a list of quoted words hides it
)
ROWS = 1 << 15
WEIGHTS = Path(__file__).parent / "weights" / "tagger.safetensors"
TAG_FEATURES = 5

_START, _END = "<s>", "</s>"
_PAST = re.compile(
    r"(?i)\b(was|were|had|did|didn't|went|came|said|saw|took|made|got|yesterday|ago|last|once"
    r"|then|\w{2,}ed)\b"
)
_PRESENT = re.compile(
    r"(?i)\b(is|are|am|has|do|does|don't|every|always|usually|often|daily|today|now|will|can"
    r"|must|should|please)\b"
)


class Tagger:
    """Gives each word of a sentence one of `TAGS`."""

    def __init__(self, weights: NDArray[np.int8]) -> None:
        if weights.shape != (ROWS, len(TAGS)):
            raise ValueError(f"weights are {weights.shape}, not {(ROWS, len(TAGS))}: train again")
        self._weights = weights  # (ROWS, K)

    def tag(self, words: Sequence[str]) -> list[str]:
        """The tag of each word or punctuation mark of one sentence."""
        fixed = word_features(words)  # (N, F)
        scores = self._weights[fixed].sum(axis=1, dtype=np.int32)  # (N, K)
        before = last = -1
        found = []
        for score, row in zip(scores, fixed.tolist(), strict=True):
            moving = tag_features(before, last, row)
            best = int((score + self._weights[moving].sum(axis=0, dtype=np.int32)).argmax())
            before, last = last, best
            found.append(TAGS[best])
        return found

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> "Tagger":
        """The tagger that ships with the package."""
        from safetensors.numpy import load_file

        return cls(load_file(WEIGHTS)["weights"])


def word_features(words: Sequence[str]) -> NDArray[np.int64]:
    """The rows of the features that need no tag, (N, F); the word and the next one come first."""
    shown = [_START, _START, *map(str.lower, words), _END, _END]
    text = " ".join(words)
    tense = f"{len(_PAST.findall(text)) > 0:d}{len(_PRESENT.findall(text)) > 0:d}"
    rows = []
    for place, word in enumerate(words):
        w2, w1, w, n1, n2 = shown[place : place + 5]
        tail = w[-3:]
        shape = _shape(word, place)
        rows.append(
            [
                _row(name)
                for name in (
                    f"w {w}", f"n1 {n1}", f"p1 {w1}", f"p2 {w2}", f"n2 {n2}", f"s3 {tail}",
                    f"s2 {w[-2:]}", f"h {shape} {w[:2]}", f"sh {shape} {tail}",
                    f"p1w {w1} {w}", f"wn1 {w} {n1}", f"p1n1 {w1} {n1}", f"ps {w1[-3:]} {tail}",
                    f"sn {tail} {n1[-3:]}", f"p2p1 {w2} {w1}", f"n1n2 {n1} {n2[-3:]}",
                    f"t {tense} {w}", f"ts {tense} {tail} {w1}",
                )
            ]
        )  # fmt: skip
    return np.array(rows, dtype=np.int64)


def tag_features(before: int, last: int, row: Sequence[int]) -> list[int]:
    """The rows of the features that need the two tags before a word; -1 stands for none."""
    word, after = row[0], row[1]
    one, two = last + 2, (before + 2) * 64 + last + 2
    return [
        (one * 40503 + 7) % ROWS,
        (two * 48271 + 11) % ROWS,
        (one * 40503 ^ word * 69621) % ROWS,
        (one * 30011 ^ after * 16807 + 3) % ROWS,
        (two * 20011 ^ word * 39373 + 5) % ROWS,
    ]


def _row(name: str) -> int:
    return zlib.crc32(name.encode()) & (ROWS - 1)


def _shape(word: str, place: int) -> str:
    if not word[:1].isalpha():
        return "mark" if not any(map(str.isalnum, word)) else "digit"
    capital = "first" if place == 0 else "capital"
    return (capital if word[0].isupper() else "small") + ("-" if "-" in word else "")
