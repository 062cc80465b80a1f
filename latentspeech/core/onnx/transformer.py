"""The Transformer's step by ONNX Runtime, for few rows on a CPU.

One or two rows run in place (in_place.py), more rows by a graph that only reads the cache. That
graph also runs single rows of models whose heads have a size that the other one does not take.

R rows, N rows that are fed, T new positions, Dh head dimension, d model width.
"""

import functools
import os
from collections.abc import Sequence

import numpy as np

from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.onnx.cache import HIDDEN_FROM_ALL, OnnxCache
from latentspeech.core.onnx.graph import Array, OnnxFunction
from latentspeech.core.onnx.in_place import MOST_ROWS, InPlaceRun
from latentspeech.core.onnx.step_graphs import in_place_graph, step_graph
from latentspeech.core.storage.weights import Weights

# The first audio has to wait for the prefill, and no other work is there to take the threads.
_MOST_PREFILL_THREADS = 4
_FIRST_POSITIONS = 512  # of the table of angles
_SIZE_IN_PLACE = 16  # the head dimensions that run in place are multiples of it


class OnnxTransformer:
    """Does what `Transformer.step` does, in ONNX Runtime."""

    def __init__(
        self, config: TransformerConfig, weights: Weights, num_threads: int, int8: bool = False
    ) -> None:
        self._config = config
        self._table = _angles(config, _FIRST_POSITIONS)
        prefill_threads = max(num_threads, min(os.cpu_count() or 1, _MOST_PREFILL_THREADS))
        make = functools.partial(in_place_graph, config, weights, int8)
        make_prefill = functools.partial(make, num_rows=1, only_last=True)
        make_step = functools.partial(step_graph, config, weights, int8)
        # Each graph holds the weights, so it is made when it is needed.
        self._prefill = functools.cache(lambda: OnnxFunction(make_prefill, prefill_threads))
        self._in_place = functools.cache(
            lambda num_rows: OnnxFunction(functools.partial(make, num_rows), num_threads)
        )
        self._step = functools.cache(lambda: OnnxFunction(make_step, num_threads))
        self._most_in_place = 0 if config.head_dim % _SIZE_IN_PLACE else MOST_ROWS
        if self._most_in_place:
            self._prefill()
        else:
            self._step()

    def init_state(self) -> OnnxCache:
        """An empty cache."""
        return OnnxCache(self._config)

    def step(self, x: Array, state: OnnxCache, lengths: Sequence[int] | None = None) -> Array:
        """Runs the next T positions of the first R rows: x (R, T, d) -> hidden (R, T, d).

        `lengths` (R,) says how many of the positions of each row are needed; None: all. What
        it returns for the others means nothing.
        """
        num_rows, num_new, _ = x.shape
        if num_rows > self._most_in_place:
            return self._step_many(x, state, 0)
        counts = [num_new] * num_rows if lengths is None else lengths
        # A row that needs nothing gets one position, since a graph for fewer rows takes memory.
        parts = [x[row, : max(count, 1)] for row, count in enumerate(counts)]
        found = self._run(self._in_place(num_rows), state, range(num_rows), parts)
        hidden = np.zeros_like(x)
        start = 0
        for row, part in enumerate(parts):
            hidden[row, : len(part)] = found[start : start + len(part)]
            start += len(part)
        return hidden

    def prefill(self, x: Array, state: OnnxCache, row: int) -> Array:
        """Runs the next T positions of one row: x (1, T, d) -> hidden (1, d) at the last one."""
        if not self._most_in_place:
            return self._step_many(x, state, row)[:, -1]
        return self._run(self._prefill(), state, [row], [x[0]], only_last=True)

    def _run(
        self,
        function: OnnxFunction,
        state: OnnxCache,
        rows: Sequence[int],
        x: Sequence[Array],
        only_last: bool = False,
    ) -> Array:
        """Runs a function in place: new positions (T, d) of each row -> hidden states of all."""
        ends = [int(state.lengths[row]) + len(part) for row, part in zip(rows, x, strict=True)]
        state.make_room(rows[-1] + 1, max(ends))
        self._make_table(state.capacity)
        key = id(function.session), id(self._table), *rows
        if key not in state.bound:
            state.bound[key] = InPlaceRun(function.session, state, rows, self._table)
        run: InPlaceRun = state.bound[key]
        return run(state, x, only_last)

    def _step_many(self, x: Array, state: OnnxCache, first_row: int) -> Array:
        num_rows, num_new, _ = x.shape
        fed = slice(first_row, first_row + num_rows)
        cos, sin = self._angles_of(state.lengths[fed], num_new)
        mask = np.empty((num_rows, 1, num_new, state.capacity + num_new), dtype=np.float32)
        mask[..., : state.capacity] = state.mask[fed]
        mask[..., state.capacity :] = _causal_mask(num_new)
        inputs = {
            "x": x,
            "cos": cos,
            "sin": sin,
            "mask": mask,
            "sizes": np.array([state.capacity, num_new], dtype=np.int64),
        }
        for layer in range(self._config.num_layers):
            inputs[f"keys_{layer}"] = state.keys[layer][fed]
            inputs[f"values_{layer}"] = state.values[layer][fed]
        hidden, *new_entries = self._step()(inputs)
        state.fed_keys, state.fed_values = new_entries[::2], new_entries[1::2]
        return hidden

    def _angles_of(self, lengths: Array, num_new: int) -> tuple[Array, Array]:
        """Cosines and signed sines (N, 1, T, Dh) of the T positions after `lengths` (N,)."""
        self._make_table(int(lengths.max()) + num_new)
        places = lengths[:, None, None] + np.arange(num_new)  # (N, 1, T)
        cos, sin = (table[places] for table in self._table)
        return np.concatenate((cos, cos), axis=-1), np.concatenate((-sin, sin), axis=-1)

    def _make_table(self, num_positions: int) -> None:
        """Makes the table of angles longer if it has fewer positions."""
        if num_positions > len(self._table[0]):
            self._table = _angles(self._config, 2 * num_positions)


def _angles(config: TransformerConfig, num_positions: int) -> tuple[Array, Array]:
    """Cosines and sines of all positions (positions, Dh / 2), as rope.py has them."""
    half = np.arange(0, config.head_dim, 2, dtype=np.float32)
    frequencies = np.float32(config.rope_theta) ** (-half / np.float32(config.head_dim))
    angles = np.arange(num_positions, dtype=np.float32)[:, None] * frequencies
    return np.cos(angles), np.sin(angles)


@functools.lru_cache(maxsize=4)
def _causal_mask(num_new: int) -> Array:
    """The mask (T, T) that hides from each of T new positions the ones after it."""
    return np.triu(np.full((num_new, num_new), HIDDEN_FROM_ALL, dtype=np.float32), 1)
