"""The Transformer's step as an ONNX graph, for few rows on a CPU.

The graph attends to the cached keys and values and to those of the new positions, which it returns.
So it only reads the cache, and a position that was fed on trial leaves no trace unless the caller
keeps it.

L layers, R rows, N rows that are fed, T new positions, C capacity of the cache, H heads, G
key/value heads, Dh head dimension, d model width.
"""

import functools
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.onnx.graph import Array, OnnxFunction, OnnxGraph, Shape
from latentspeech.core.onnx.proto import INT64
from latentspeech.core.storage.weights import Weights

_BLOCK = 64  # positions by which a cache grows
_FIRST_ROWS = 2  # rows of a new cache
# The first audio has to wait for the prefill, and no other work is there to take the threads.
_MOST_PREFILL_THREADS = 4
_HIDDEN_FROM_ALL = -1e9


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
    longest row is cleared. A run over the first rows reads the arrays without copying them.
    """

    def __init__(self, config: TransformerConfig) -> None:
        shape = (_FIRST_ROWS, config.num_kv_heads, 0, config.head_dim)
        self.lengths = np.zeros(_FIRST_ROWS, dtype=np.int64)
        self.keys = [np.zeros(shape, dtype=np.float32) for _ in range(config.num_layers)]
        self.values = [np.zeros(shape, dtype=np.float32) for _ in range(config.num_layers)]
        self.mask = np.zeros((_FIRST_ROWS, 1, 1, 0), dtype=np.float32)
        self.new_keys: list[Array] = []
        self.new_values: list[Array] = []

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
        if len(counts) <= counts.max():
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
        self.mask[index] = _HIDDEN_FROM_ALL
        self.lengths[index] = 0
        needed = _whole_blocks(int(self.lengths.max()))
        if 2 * needed <= self.capacity:
            self.keys = [keys[:, :, :needed].copy() for keys in self.keys]
            self.values = [values[:, :, :needed].copy() for values in self.values]
            self.mask = self.mask[..., :needed].copy()

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
        self.mask = grown(self.mask, _HIDDEN_FROM_ALL, 3)
        self.lengths = np.pad(self.lengths, (0, num_rows - len(self.lengths)))

    def _keep_of_row(self, place: int, row: int, start: int, count: int) -> None:
        """Stores the first `count` of the new positions of one row."""
        if not count:
            return
        end = start + count
        for old, new in ((self.keys, self.new_keys), (self.values, self.new_values)):
            for layer, entries in zip(old, new, strict=True):
                layer[row, :, start:end] = entries[place, :, :count]
        self.mask[row, ..., start:end] = 0

    def _keep_position(self, new: int, places: Array, rows: Array, positions: Array) -> None:
        """Stores the new position with index `new` of several rows."""
        for old, fed in ((self.keys, self.new_keys), (self.values, self.new_values)):
            for layer, entries in zip(old, fed, strict=True):
                layer[rows, :, positions] = entries[places, :, new]
        self.mask[rows, 0, 0, positions] = 0


class OnnxTransformer:
    """Does what `Transformer.step` does, in ONNX Runtime."""

    def __init__(
        self, config: TransformerConfig, weights: Weights, num_threads: int, int8: bool = False
    ) -> None:
        self._config = config
        make_graph = functools.partial(step_graph, config, weights, int8)
        self._step = OnnxFunction(make_graph, num_threads)
        prefill_threads = max(num_threads, min(os.cpu_count() or 1, _MOST_PREFILL_THREADS))
        make_graph = functools.partial(step_graph, config, weights, int8, only_last=True)
        self._prefill = OnnxFunction(make_graph, prefill_threads)
        self._table: tuple[Array, Array] = self._make_table(_BLOCK)

    def init_state(self) -> OnnxCache:
        """An empty cache."""
        return OnnxCache(self._config)

    def step(self, x: Array, state: OnnxCache) -> Array:
        """Runs the next T positions of the first R rows: x (R, T, d) -> hidden (R, T, d)."""
        return self._feed(self._step, x, state, 0)

    def prefill(self, x: Array, state: OnnxCache, row: int) -> Array:
        """Runs the next T positions of one row: x (1, T, d) -> hidden (1, d) at the last one."""
        run = self._step if x.shape[1] == 1 else self._prefill
        return self._feed(run, x, state, row)[:, 0]

    def _feed(self, run: OnnxFunction, x: Array, state: OnnxCache, first_row: int) -> Array:
        num_rows, num_new, _ = x.shape
        fed = slice(first_row, first_row + num_rows)
        cos, sin = self._angles(state.lengths[fed], num_new)
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
        hidden, *new_entries = run(inputs)
        state.new_keys, state.new_values = new_entries[::2], new_entries[1::2]
        return hidden

    def _angles(self, lengths: Array, num_new: int) -> tuple[Array, Array]:
        """Cosines and signed sines (N, 1, T, Dh) of the T positions after `lengths` (N,)."""
        end = int(lengths.max()) + num_new
        if end > len(self._table[0]):
            self._table = self._make_table(2 * end)
        places = lengths[:, None, None] + np.arange(num_new)  # (N, 1, T)
        cos, sin = self._table
        return cos[places], sin[places]

    def _make_table(self, num_positions: int) -> tuple[Array, Array]:
        """Cosines and signed sines of all positions (positions, Dh), as rope.py has them."""
        size = self._config.head_dim
        half = np.arange(0, size, 2, dtype=np.float32)
        frequencies = np.float32(self._config.rope_theta) ** (-half / np.float32(size))  # (Dh / 2,)
        positions = np.arange(num_positions, dtype=np.float32)[:, None]
        angles = positions * np.concatenate((-frequencies, frequencies))
        return np.cos(angles), np.sin(angles)


@functools.lru_cache(maxsize=4)
def _causal_mask(num_new: int) -> Array:
    """The mask (T, T) that hides from each of T new positions the ones after it."""
    return np.triu(np.full((num_new, num_new), _HIDDEN_FROM_ALL, dtype=np.float32), 1)


def _whole_blocks(num_positions: int) -> int:
    """`num_positions`, rounded up to whole blocks."""
    return -(-num_positions // _BLOCK) * _BLOCK


def step_graph(
    config: TransformerConfig, weights: Weights, int8: bool, only_last: bool = False
) -> OnnxGraph:
    """A graph from x, cos, sin, mask, sizes and each layer's cache to hidden states, new entries.

    With `only_last` it returns the hidden state (R, 1, d) of the last position only.
    """
    if not (config.causal and config.rotary):
        raise ConfigError(
            f"ONNX Runtime was asked to run a Transformer with causal: {config.causal} and rotary: "
            f"{config.rotary}; it steps causal ones with rotary positions; use the torch runtime"
        )
    graph = OnnxGraph("transformer_step", int8)
    x = graph.input("x", ["R", "T", config.model_dim])
    graph.input("cos", ["R", 1, "T", config.head_dim])
    graph.input("sin", ["R", 1, "T", config.head_dim])
    graph.input("mask", ["R", 1, "T", "C+T"])
    graph.input("sizes", [2], INT64)
    cached: Shape = ["R", config.num_kv_heads, "C", config.head_dim]
    new_entries = []
    for number in range(config.num_layers):
        layer = weights.part(f"layers.{number}")
        keys, values = (graph.input(f"{name}_{number}", cached) for name in ("keys", "values"))
        y = graph.rms_norm(x, layer.take("attention_norm.weight", config.model_dim))
        y, new_keys, new_values = _attention(
            graph, y, config, layer.part("attention"), keys, values
        )
        x = graph.op("Add", x, y)
        if only_last and number == config.num_layers - 1:
            last = graph.integers(-1), graph.integers(np.iinfo(np.int64).max), graph.integers(1)
            x = graph.op("Slice", x, *last)
        y = graph.rms_norm(x, layer.take("ffn_norm.weight", config.model_dim))
        x = graph.op("Add", x, _feed_forward(graph, y, config, layer.part("ffn")))
        new_entries += [(f"new_keys_{number}", new_keys), (f"new_values_{number}", new_values)]
    graph.output("hidden", graph.rms_norm(x, weights.take("norm.weight", config.model_dim)))
    for name, value in new_entries:
        graph.output(name, value)
    return graph


def _feed_forward(graph: OnnxGraph, x: str, config: TransformerConfig, weights: Weights) -> str:
    """Appends either network of `core/nn/feed_forward.py`."""
    if config.ffn_kind == "swiglu":
        return swiglu(graph, x, weights, config.model_dim, config.ffn_dim)
    up = graph.linear(x, weights.take("up.weight", config.ffn_dim, config.model_dim))
    down = weights.take("down.weight", config.model_dim, config.ffn_dim)
    return graph.linear(graph.gelu(up), down)


def swiglu(graph: OnnxGraph, x: str, weights: Weights, model_dim: int, ffn_dim: int) -> str:
    """Appends W_down(SiLU(W_gate x) * W_up x)."""
    both = graph.linear(x, weights.take("gate_up.weight", 2 * ffn_dim, model_dim))
    gate, up = graph.halves(both, axis=-1)
    product = graph.op("Mul", graph.silu(gate), up)
    return graph.linear(product, weights.take("down.weight", model_dim, ffn_dim))


def _attention(
    graph: OnnxGraph,
    x: str,
    config: TransformerConfig,
    weights: Weights,
    keys: str,
    values: str,
) -> tuple[str, str, str]:
    """Maps x (R, T, d) to (R, T, d) and the new keys and values (R, G, T, Dh)."""
    num_heads, num_kv_heads, size = config.num_heads, config.num_kv_heads, config.head_dim
    qkv = weights.take("qkv.weight", (num_heads + 2 * num_kv_heads) * size, config.model_dim)
    heads = graph.linear(x, qkv)
    heads = graph.op("Reshape", heads, graph.integers(0, 0, -1, size))
    heads = graph.op("Transpose", heads, perm=[0, 2, 1, 3])
    parts = graph.integers(num_heads + num_kv_heads, num_kv_heads)
    q_k, new_values = graph.ops(2, "Split", heads, parts, axis=1)
    first, second = graph.halves(q_k, axis=3)
    swapped = graph.op("Concat", second, first, axis=3)
    q_k = graph.op("Add", graph.op("Mul", q_k, "cos"), graph.op("Mul", swapped, "sin"))
    parts = graph.integers(num_heads, num_kv_heads)
    q, new_keys = graph.ops(2, "Split", q_k, parts, axis=1)

    # One more axis, (R, G, H/G, T, ...): the heads of a group share its keys and values.
    q = graph.op("Reshape", q, graph.integers(0, num_kv_heads, num_heads // num_kv_heads, -1, size))
    q = graph.op("Mul", q, graph.constant(np.array(size**-0.5, dtype=np.float32)))
    mask = graph.op("Unsqueeze", "mask", graph.integers(1))

    def product(rows: str, entries: str, **attributes: int) -> str:
        entries = graph.op("Unsqueeze", entries, graph.integers(2))
        return graph.op("FusedMatMul", rows, entries, domain="com.microsoft", **attributes)

    def product_by_rows(rows: str, entries: str, **attributes: int) -> str:
        # Row by row, since ONNX Runtime copies a matrix before it multiplies several rows by it.
        single = graph.op("Unsqueeze", rows, graph.integers(4))
        entries = graph.op("Unsqueeze", entries, graph.integers(2))
        return graph.op("Squeeze", product(single, entries, **attributes), graph.integers(4))

    both = product_by_rows(q, keys, transB=1), product(q, new_keys, transB=1)
    scores = graph.op("Add", graph.op("Concat", *both, axis=4), mask)
    shares = graph.op("Softmax", scores, axis=-1)  # (R, G, H/G, T, C + T)
    of_past, of_new = graph.ops(2, "Split", shares, "sizes", axis=4)
    y = graph.op("Add", product_by_rows(of_past, values), product(of_new, new_values))
    y = graph.op("Reshape", y, graph.integers(0, num_heads, -1, size))
    y = graph.op("Transpose", y, perm=[0, 2, 1, 3])
    y = graph.op("Reshape", y, graph.integers(0, 0, num_heads * size))
    out = weights.take("out.weight", config.model_dim, num_heads * size)
    return graph.linear(y, out), new_keys, new_values
