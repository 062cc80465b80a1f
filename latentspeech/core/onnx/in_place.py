"""Runs of the Transformer that read and write one or two rows of a cache where they lie.

Everything that stays between calls is bound once, since handing over two dozen arrays takes as long
as some of the layers.

n new positions of all rows, d model width.
"""

from collections.abc import Sequence

import numpy as np
import onnxruntime

from latentspeech.core.onnx.cache import OnnxCache
from latentspeech.core.onnx.graph import Array

MOST_ROWS = 2


class InPlaceRun:
    """A session of `in_place_graph` (step_graphs.py), bound to rows of a cache."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        cache: OnnxCache,
        rows: Sequence[int],
        table: tuple[Array, Array],
    ) -> None:
        """Args: `table` are cosines and sines of at least as many positions as fit the cache."""
        self._session, self._rows = session, rows
        self._table = table  # a binding does not keep its arrays
        self._binding = session.io_binding()
        self._sizes = np.zeros(len(rows), dtype=np.int64)
        self._last, self._ends = np.zeros((2, len(rows)), dtype=np.int32)
        for name, value in (("sizes", self._sizes), ("cos", table[0]), ("sin", table[1])):
            self._bind(name, value)
        for place, row in enumerate(rows):
            self._bind(f"last_{place}", self._last[place : place + 1])
            self._bind(f"end_{place}", self._ends[place : place + 1])
            for name, layers in (("keys", cache.keys), ("values", cache.values)):
                for number, entries in enumerate(layers):
                    value = self._bind(f"{name}_{number}_{place}", entries[row : row + 1])
                    self._binding.bind_ortvalue_output(f"new_{name}_{number}_{place}", value)

    def __call__(self, cache: OnnxCache, x: Sequence[Array], only_last: bool = False) -> Array:
        """Runs the next positions of each row, (T, d) each -> hidden states of all (n, d).

        `cache` is the one of before, which is not kept here, since it keeps this run. With
        `only_last` the session's graph returns one of them, (1, d).
        """
        self._sizes[:] = [len(of_row) for of_row in x]
        self._ends[:] = [cache.lengths[row] for row in self._rows]
        self._ends += self._sizes
        self._last[:] = self._ends - 1
        inputs = np.concatenate(x)[None]
        hidden = np.empty_like(inputs[:, -1:] if only_last else inputs)
        self._binding.bind_cpu_input("x", inputs)
        # It is bound and not fetched, because the list of all outputs takes long to make.
        value = onnxruntime.OrtValue.ortvalue_from_numpy(hidden)
        self._binding.bind_ortvalue_output("hidden", value)
        self._session.run_with_iobinding(self._binding)
        cache.fed_keys, cache.fed_values = [], []  # they are in the cache
        return hidden[0]

    def _bind(self, name: str, value: Array) -> onnxruntime.OrtValue:
        """Binds an input to the memory of an array, which the result keeps alive."""
        bound = onnxruntime.OrtValue.ortvalue_from_numpy(value)
        self._binding.bind_ortvalue_input(name, bound)
        return bound
