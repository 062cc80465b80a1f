"""Plans which voice says which sentence. The lists alone decide, so a second run goes on.

A source has its own share of the sentences. Sentence t is said in round r by voice (t + r) modulo
the number of voices: all voices take turns, and no voice says a sentence twice.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class PlannedUtterance(NamedTuple):
    """What to say, in which voice, under which id."""

    id: str
    text: str
    voice: str


def share(sentences: Sequence[str], source: str, sources: Sequence[str]) -> list[str]:
    """The sentences of one source: every k-th, so that no two sources say the same."""
    return list(sentences[sources.index(source) :: len(sources)])


def plan_utterances(
    source: str, sentences: Sequence[str], voices: Sequence[str]
) -> Iterator[PlannedUtterance]:
    """Every sentence in every voice, in the order in which they are to be made."""
    for number in range(len(sentences) * len(voices)):
        turn, place = divmod(number, len(sentences))
        voice = voices[(place + turn) % len(voices)]
        yield PlannedUtterance(f"{source}-{number:05d}", sentences[place], voice)
