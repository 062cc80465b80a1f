"""The keys and values of the sequences so far, in arrays of numpy.

L layers, R rows, C capacity, G key/value heads, Dh head dimension.
"""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.onnx.graph import Array

HIDDEN_FROM_ALL = -1e9
_BLOCK = 64  # positions by which a cache grows
_FIRST_ROWS = 2  # rows of a new cache


class OnnxRow(NamedTuple):
    """A copy of one row of a cache, cut to its length."""

    keys: list[Array]  # of L layers, (G, positions, Dh)
    values: list[Array]

    @property
    def end(self) -> int:
        """The number of positions."""
        return int(self.keys[0].shape[1])


class OnnxCache:
    """Keys and values of all layers; the mask hides entries past a row's length.

    It has memory for the rows and positions that were needed so far, and frees some when the
    longest row is cleared. Runs read the arrays without copying them.
    """

    def __init__(self, config: TransformerConfig) -> None:
        shape = (_FIRST_ROWS, config.num_kv_heads, 0, config.head_dim)
        self.lengths = np.zeros(_FIRST_ROWS, dtype=np.int64)
        self.keys = [np.zeros(shape, dtype=np.float32) for _ in range(config.num_layers)]
        self.values = [np.zeros(shape, dtype=np.float32) for _ in range(config.num_layers)]
        self.mask = np.zeros((_FIRST_ROWS, 1, 1, 0), dtype=np.float32)
        # Of the positions just fed (R, G, T, Dh); empty if they are already in their places.
        self.fed_keys: list[Array] = []
        self.fed_values: list[Array] = []
        self.bound: dict[Hashable, Any] = {}  # what depends on where the arrays lie

    @property
    def capacity(self) -> int:
        """The number of positions that fit before the cache grows."""
        return self.mask.shape[-1]

    def keep(self, counts: Sequence[int] | NDArray[np.int64], first_row: int = 0) -> None:
        """Stores the first `counts[i]` of the positions just fed to the i-th of the fed rows."""
        counts = np.asarray(counts)
        end_row = first_row + len(counts)
        starts = self.lengths[first_row:end_row].copy()
        self.make_room(end_row, int((starts + counts).max()))
        if not self.fed_keys:
            for row, end in enumerate((starts + counts).tolist(), start=first_row):
                self.mask[row, ..., :end] = 0
        elif len(counts) <= counts.max():
            for place, (start, count) in enumerate(
                zip(starts.tolist(), counts.tolist(), strict=True)
            ):
                self._keep_of_row(place, first_row + place, start, count)
        else:
            for new in range(counts.max()):  # a position of all rows at once
                places = np.flatnonzero(counts > new)
                self._keep_position(new, places, first_row + places, starts[places] + new)
        self.lengths[first_row:end_row] = starts + counts

    def row(self, index: int) -> OnnxRow:
        """A copy of one row."""
        length = self.lengths[index]
        keys, values = (
            [entries[index, :, :length].copy() for entries in layers]
            for layers in (self.keys, self.values)
        )
        return OnnxRow(keys, values)

    def load_row(self, index: int, source: OnnxRow) -> None:
        """Copies `source` into an empty row."""
        self.make_room(index + 1, source.end)
        for old, new in ((self.keys, source.keys), (self.values, source.values)):
            for layer, entries in zip(old, new, strict=True):
                layer[index, :, : source.end] = entries
        self.mask[index, ..., : source.end] = 0
        self.lengths[index] = source.end

    def move_row(self, source: int, target: int) -> None:
        """Copies the entries of row `source` into row `target`."""
        length = self.lengths[source]
        for layer in (*self.keys, *self.values):
            layer[target, :, :length] = layer[source, :, :length]
        self.mask[target] = self.mask[source]
        self.lengths[target] = length

    def clear_row(self, index: int) -> None:
        """Empties a row; frees positions if no row needs more than half of them."""
        self.mask[index] = HIDDEN_FROM_ALL
        self.lengths[index] = 0
        needed = _whole_blocks(int(self.lengths.max()))
        if 2 * needed <= self.capacity:
            self.keys = [keys[:, :, :needed].copy() for keys in self.keys]
            self.values = [values[:, :, :needed].copy() for values in self.values]
            self.mask = self.mask[..., :needed].copy()
            self.bound = {}

    def make_room(self, num_rows: int, num_positions: int) -> None:
        """Grows, if needed, to `num_rows` (or twice the rows) and to whole blocks of positions."""
        if num_rows > len(self.lengths):
            self._grow(max(num_rows, 2 * len(self.lengths)), self.capacity)
        if num_positions > self.capacity:
            self._grow(len(self.lengths), _whole_blocks(num_positions))

    def _grow(self, num_rows: int, capacity: int) -> None:
        def grown(old: Array, fill: float, axis: int) -> Array:
            shape = list(old.shape)
            shape[0], shape[axis] = num_rows, capacity
            new = np.full(shape, fill, dtype=np.float32)
            new[tuple(map(slice, old.shape))] = old
            return new

        self.keys = [grown(keys, 0, 2) for keys in self.keys]
        self.values = [grown(values, 0, 2) for values in self.values]
        self.mask = grown(self.mask, HIDDEN_FROM_ALL, 3)
        self.lengths = np.pad(self.lengths, (0, num_rows - len(self.lengths)))
        self.bound = {}

    def _keep_of_row(self, place: int, row: int, start: int, count: int) -> None:
        """Stores the first `count` of the new positions of one row."""
        if not count:
            return
        end = start + count
        for old, new in ((self.keys, self.fed_keys), (self.values, self.fed_values)):
            for layer, entries in zip(old, new, strict=True):
                layer[row, :, start:end] = entries[place, :, :count]
        self.mask[row, ..., start:end] = 0

    def _keep_position(self, new: int, places: Array, rows: Array, positions: Array) -> None:
        """Stores the new position with index `new` of several rows."""
        for old, fed in ((self.keys, self.fed_keys), (self.values, self.fed_values)):
            for layer, entries in zip(old, fed, strict=True):
                layer[rows, :, positions] = entries[places, :, new]
        self.mask[rows, 0, 0, positions] = 0


def _whole_blocks(num_positions: int) -> int:
    """`num_positions`, rounded up to whole blocks."""
    return -(-num_positions // _BLOCK) * _BLOCK
