"""The shards that a process used last, kept open."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

# An open shard takes a file descriptor or a mapping, of which a process may have about a thousand,
# and about 300 bytes an item for its list. This limit holds more than two windows of 64 shards.
_MAX_OPEN_SHARDS = 160

Opened = TypeVar("Opened")


class Recent(Generic[Opened]):
    """The shards opened last, by number. A copy in another process starts empty."""

    def __init__(self, opener: Callable[[int], Opened], limit: int | None = None) -> None:
        """Args: `limit` is the number of shards kept open; None: as many as cost little."""
        self._opener = opener
        self._limit = _MAX_OPEN_SHARDS if limit is None else limit
        self._open: OrderedDict[int, Opened] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __getitem__(self, shard: int) -> Opened:
        if shard not in self._open:
            self._open[shard] = self._opener(shard)
            if len(self._open) > self._limit:
                self._open.popitem(last=False)
        self._open.move_to_end(shard)
        return self._open[shard]

    def __getstate__(self) -> dict[str, Any]:
        # Memory mappings cannot be pickled.
        return self.__dict__ | {"_open": OrderedDict()}
