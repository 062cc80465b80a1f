"""How often a model answers questions about pictures rightly, and how often text alone would.

A model without eyes can do no better than to give each question the answer that it had most often
in training. That bound is counted from the training pages and stands for a text-only twin.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from latentvision.mllm.documents.page import Page, Part, Picture, Text

YES_NO = frozenset({"yes", "no"})


class Question(NamedTuple):
    """A question about the pictures before it."""

    key: str  # of its page, and its place there
    picture: Picture  # the last one before it
    text: str
    answer: str
    given: tuple[str, ...] = ()  # the answers of several people, if there are any


def questions_of(pages: Iterable[Page]) -> Iterator[Question]:
    """All questions of pages that have an answer and a picture before them."""
    for page in pages:
        picture: Picture | None = None
        asked: str | None = None
        for place, part in enumerate(page.parts):
            if isinstance(part, Picture):
                picture = part
            elif not isinstance(part, Text):
                continue
            elif part.mark == "question":
                asked = part.text
            elif part.mark == "answer" and asked is not None and picture is not None:
                yield Question(f"{page.key}/{place}", picture, asked, part.text, part.given)
                asked = None


def normalized(answer: str) -> str:
    """Lower case, without a full stop and spaces around: "Yes. " is "yes"."""
    return answer.strip().rstrip(".").strip().lower()


class TextOnly:
    """The most frequent answer of training to each question, by its text alone."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._by_question: dict[str, Counter[str]] = {}
        self._all: Counter[str] = Counter()
        for page in pages:
            for part, answer in zip(page.parts, page.parts[1:], strict=False):
                if _is(part, "question") and _is(answer, "answer"):
                    assert isinstance(part, Text)
                    assert isinstance(answer, Text)
                    known = self._by_question.setdefault(part.text, Counter())
                    known[normalized(answer.text)] += 1
                    self._all[normalized(answer.text)] += 1

    def answer(self, question: str) -> str:
        """The answer; for a new question the most frequent of all, "" without any training."""
        counts = self._by_question.get(question, self._all)
        # Of equally frequent answers the first by name, so that the result repeats.
        return min(counts, key=lambda answer: (-counts[answer], answer), default="")


def _is(part: Part, mark: str) -> bool:
    return isinstance(part, Text) and part.mark == mark
