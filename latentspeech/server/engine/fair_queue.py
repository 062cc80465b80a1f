"""Which of the waiting speeches gets the next free row.

The client with the fewest rows comes first, so nobody waits for another client's many requests.
Among the speeches of such clients, the one whose listener runs out of audio first comes first. A
speech without any audio yet has been out of it since it arrived. So a new speech does not wait for
the later sentences of a long text, unless its listener would hear a gap.
"""

from collections import Counter

from latentspeech.server.engine.speech import Speech


class FairQueue:
    """The speeches that have a sentence to write and no row."""

    def __init__(self) -> None:
        self._waiting: dict[Speech, None] = {}  # a set that keeps the order

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, speech: Speech) -> None:
        """Adds a speech; it may be there already."""
        self._waiting[speech] = None

    def remove(self, speech: Speech) -> None:
        """Removes a speech if it is there."""
        self._waiting.pop(speech, None)

    def take(self, count: int, rows_of: Counter[str]) -> list[Speech]:
        """Removes and returns at most `count` speeches; `rows_of` has the rows of each client."""
        rows_of, taken = rows_of.copy(), list[Speech]()
        while self._waiting and len(taken) < count:
            first = min(self._waiting, key=lambda one: (rows_of[one.client], one.deadline_s))
            del self._waiting[first]
            rows_of[first.client] += 1
            taken.append(first)
        return taken
