"""CIDEr-D: how near a caption is to those that people gave (Vedantam et al. 2015, arXiv 1411.5726).

Captions are compared by their n-grams of one to four words, each weighted by how rare it is:

    weight(g) = count(g) (log num_images - log max(1, num_images_with(g)))

where the references of an image make one document. The score of a caption against a reference is
the mean over n of 10 exp(-(difference of length)^2 / (2 6^2)) times a cosine in which a weight of
the caption counts at most as much as the reference's. Several references are averaged. This is the
number that coco-caption calls CIDEr; papers print it times 100.

With one image every weight is zero, and so is the score.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

MAX_WORDS = 4  # of an n-gram
SIGMA = 6.0  # of the penalty of length, words
_WORD = re.compile(r"\w+(?:'\w+)?")

Ngram = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation; coco-caption takes the Penn Treebank's, of Java."""
    return _WORD.findall(text.lower())


def cider_d(captions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """The score of each caption against the references of its image.

    Raises:
        ValueError: the numbers of captions and images differ, or an image has no reference.
    """
    if len(captions) != len(references) or not all(references):
        raise ValueError(
            f"{len(captions)} captions for {len(references)} images; expected one for each image, "
            "and a reference or more of each"
        )
    counted = [[_ngrams(words_of(text)) for text in texts] for texts in references]
    found = Counter(gram for counts in counted for gram in set().union(*counts))
    rarity = {gram: math.log(len(references) / number) for gram, number in found.items()}
    unseen = math.log(len(references)) if references else 0.0
    return [
        sum(_similarity(_ngrams(words_of(caption)), counts, rarity, unseen) for counts in own)
        / len(own)
        for caption, own in zip(captions, counted, strict=True)
    ]


def _ngrams(words: Sequence[str]) -> Counter[Ngram]:
    sizes = range(1, MAX_WORDS + 1)
    return Counter(tuple(words[i : i + n]) for n in sizes for i in range(len(words) - n + 1))


def _similarity(
    caption: Counter[Ngram], reference: Counter[Ngram], rarity: Mapping[Ngram, float], unseen: float
) -> float:
    """Ten times the mean over n of the clipped cosines, with the penalty of length."""
    total = 0.0
    for size in range(1, MAX_WORDS + 1):
        one, other = (
            {g: count * rarity.get(g, unseen) for g, count in counts.items() if len(g) == size}
            for counts in (caption, reference)
        )
        norms = math.hypot(*one.values()) * math.hypot(*other.values())
        if norms:
            shared = (
                min(weight, other.get(g, 0.0)) * other.get(g, 0.0) for g, weight in one.items()
            )
            total += math.fsum(shared) / norms
    # coco-caption takes the number of pairs of words for the length, as differences are the same.
    lengths = (sum(n for g, n in counts.items() if len(g) == 2) for counts in (caption, reference))
    difference = next(lengths) - next(lengths)
    return 10 * total / MAX_WORDS * math.exp(-(difference**2) / (2 * SIGMA**2))
