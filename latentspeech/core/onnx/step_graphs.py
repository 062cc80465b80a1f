"""The Transformer's step as ONNX graphs.

`step_graph` runs many rows, whose new positions are equally many. It attends to the cached keys and
values and to those of the new positions, which it returns, so it only reads the cache.

`in_place_graph` runs one or two rows, each with its own number of new positions, in fewer
operations. It writes their keys and values into the cache, after the end of the row. In either case
a position that was fed on trial leaves no trace unless the caller keeps it.

L layers, R rows, T new positions, n of all rows, C capacity of the cache, P positions of the table
of angles, H heads, G key/value heads, Dh head dimension, d model width.
"""

import numpy as np

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.onnx.graph import OnnxGraph, Shape
from latentspeech.core.onnx.proto import INT32, INT64
from latentspeech.core.storage.weights import Weights


def step_graph(config: TransformerConfig, weights: Weights, int8: bool) -> OnnxGraph:
    """A graph from x, cos, sin, mask, sizes and each layer's cache to hidden states, new entries.

    Raises:
        ConfigError: positions are in another order or not rotary.
    """
    _check(config)
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
        y = graph.rms_norm(x, layer.take("ffn_norm.weight", config.model_dim))
        x = graph.op("Add", x, _feed_forward(graph, y, config, layer.part("ffn")))
        new_entries += [(f"new_keys_{number}", new_keys), (f"new_values_{number}", new_values)]
    graph.output("hidden", graph.rms_norm(x, weights.take("norm.weight", config.model_dim)))
    for name, value in new_entries:
        graph.output(name, value)
    return graph


def in_place_graph(
    config: TransformerConfig, weights: Weights, int8: bool, num_rows: int, only_last: bool = False
) -> OnnxGraph:
    """A graph from the new positions of all rows (1, n, d) to their hidden states (1, n, d).

    `sizes` are the rows' numbers of new positions. With `only_last` there is one row, and the graph
    returns the hidden state (1, 1, d) of its last position. `new_keys_*` and `new_values_*` are
    meant to be bound to the memory of `keys_*` and `values_*`.

    Raises:
        ConfigError: positions are in another order or not rotary.
    """
    _check(config)
    graph = OnnxGraph("transformer_in_place", int8)
    x = graph.input("x", [1, "n", config.model_dim])
    for angles in ("cos", "sin"):
        graph.input(angles, ["P", config.head_dim // 2])
    graph.input("sizes", [num_rows], INT64)
    for row in range(num_rows):
        graph.input(f"last_{row}", [1], INT32)  # the position of the last new element
        graph.input(f"end_{row}", [1], INT32)
    for number in range(config.num_layers):
        layer = weights.part(f"layers.{number}")
        y = graph.rms_norm(x, layer.take("attention_norm.weight", config.model_dim))
        y = _attention_in_place(graph, y, config, layer.part("attention"), number, num_rows)
        x = graph.op("Add", x, y)
        if only_last and number == config.num_layers - 1:
            last = graph.integers(-1), graph.integers(np.iinfo(np.int64).max), graph.integers(1)
            x = graph.op("Slice", x, *last)
        y = graph.rms_norm(x, layer.take("ffn_norm.weight", config.model_dim))
        x = graph.op("Add", x, _feed_forward(graph, y, config, layer.part("ffn")))
    graph.output("hidden", graph.rms_norm(x, weights.take("norm.weight", config.model_dim)))
    return graph


def _attention_in_place(
    graph: OnnxGraph,
    x: str,
    config: TransformerConfig,
    weights: Weights,
    layer: int,
    num_rows: int,
) -> str:
    """Maps x (1, n, d) to (1, n, d), row by row, since the operation takes one row at a time."""
    num_heads, num_kv_heads, size = config.num_heads, config.num_kv_heads, config.head_dim
    qkv = weights.take("qkv.weight", (num_heads + 2 * num_kv_heads) * size, config.model_dim)
    heads = graph.linear(x, qkv)
    parts = [heads] if num_rows == 1 else graph.ops(num_rows, "Split", heads, "sizes", axis=1)
    attended = []
    for row, part in enumerate(parts):
        cached: Shape = [1, num_kv_heads, "C", size]
        entries = [graph.input(f"{name}_{layer}_{row}", cached) for name in ("keys", "values")]
        y, new_keys, new_values = graph.ops(
            3,
            "GroupQueryAttention",
            *(part, "", "", *entries, f"last_{row}", f"end_{row}", "cos", "sin"),
            domain="com.microsoft",
            num_heads=num_heads,
            kv_num_heads=num_kv_heads,
            do_rotary=1,
        )
        attended.append(y)
        graph.output(f"new_keys_{layer}_{row}", new_keys)
        graph.output(f"new_values_{layer}_{row}", new_values)
    y = attended[0] if num_rows == 1 else graph.op("Concat", *attended, axis=1)
    return graph.linear(y, weights.take("out.weight", config.model_dim, num_heads * size))


def _check(config: TransformerConfig) -> None:
    if not (config.causal and config.rotary):
        raise ConfigError(
            f"ONNX Runtime was asked to run a Transformer with causal: {config.causal} and rotary: "
            f"{config.rotary}; it steps causal ones with rotary positions; use the torch runtime"
        )


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
