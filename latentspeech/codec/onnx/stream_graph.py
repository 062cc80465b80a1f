"""The codec's learned layers as ONNX graphs of one step, with the state as inputs and outputs.

Each function appends a layer of the same name in torch (core/nn/causal_conv.py, codec/convnext.py)
and takes its weights from the part of the same name. A chunk of any length that the layer's stride
divides gives what the whole would give.

B batch, T inputs of the chunk, S stride, K kernel size, C channels.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.onnx.graph import OnnxFunction, OnnxGraph
from latentspeech.core.storage.weights import Weights

Floats = NDArray[np.float32]
_END = np.iinfo(np.int64).max


class StreamGraph(OnnxGraph):
    """A graph that remembers which states it has."""

    def __init__(self, name: str, input_channels: int) -> None:
        super().__init__(name)
        self.state_shapes: list[tuple[int, int]] = []  # without the batch
        self.x = self.input("x", ["B", "T", input_channels])

    def context(self, x: str, length: int, channels: int) -> str:
        """Puts the last `length` inputs before x (B, T, C), and keeps the new last ones."""
        if not length:
            return x
        number = len(self.state_shapes)
        self.state_shapes.append((length, channels))
        before = self.input(f"state_{number}", ["B", length, channels])
        whole = self.op("Concat", before, x, axis=1)
        self.output(f"new_state_{number}", self.slice(whole, -length, _END))
        return whole

    def tail(self, length: int, channels: int) -> tuple[str, Callable[[str], None]]:
        """A state (B, length, C) that the layer itself renews, by calling the function."""
        number = len(self.state_shapes)
        self.state_shapes.append((length, channels))
        before = self.input(f"state_{number}", ["B", length, channels])
        return before, lambda value: self.output(f"new_state_{number}", value)

    def slice(self, x: str, start: int, end: int, axis: int = 1) -> str:
        """x[start:end] along an axis."""
        return self.op("Slice", x, *(self.integers(n) for n in (start, end, axis)))

    def reshape(self, x: str, *sizes: int) -> str:
        """x with other sizes; 0 keeps one, -1 is what remains."""
        return self.op("Reshape", x, self.integers(*sizes))


class StreamFunction:
    """A compiled StreamGraph: chunks of x (B, T, C) to its outputs, with an explicit state."""

    def __init__(
        self, make_graph: Callable[[], StreamGraph], num_outputs: int, num_threads: int
    ) -> None:
        graph = make_graph()
        self._shapes = graph.state_shapes
        self._num_outputs = num_outputs
        self._run = OnnxFunction(make_graph, num_threads, graph)
        self._order = graph.output_names

    def init_state(self, batch_size: int) -> list[Floats]:
        """Zeros for everything before the first input."""
        return [np.zeros((batch_size, *shape), dtype=np.float32) for shape in self._shapes]

    def step(self, x: Floats, state: Sequence[Floats]) -> tuple[list[Floats], list[Floats]]:
        """The outputs for the next chunk x (B, T, C), and the new state."""
        inputs: dict[str, Any] = {f"state_{number}": value for number, value in enumerate(state)}
        by_name = dict(zip(self._order, self._run({"x": x} | inputs), strict=True))
        outputs = [by_name[f"y_{number}"] for number in range(self._num_outputs)]
        return outputs, [by_name[f"new_state_{number}"] for number in range(len(self._shapes))]


def linear(graph: StreamGraph, x: str, weights: Weights, size: int, channels: int) -> str:
    """x (B, T, C) -> (B, T, size), with a bias."""
    bias = weights.take("bias", size)
    return graph.linear(x, weights.take("weight", size, channels), bias)


def conv(
    graph: StreamGraph, x: str, weights: Weights, channels: int, out: int, kernel: int, stride: int
) -> str:
    """CausalConv1d: x (B, T, C) -> (B, T / S, out)."""
    whole = graph.context(x, kernel - stride, channels)
    blocks = graph.reshape(whole, 0, -1, stride * channels)  # (B, K/S - 1 + T/S, S C)
    count = kernel // stride
    windows = [
        graph.slice(blocks, i, _END if i == count - 1 else i + 1 - count) for i in range(count)
    ]
    joined = windows[0] if count == 1 else graph.op("Concat", *windows, axis=2)  # (B, T/S, K C)
    return linear(graph, joined, weights.part("linear"), out, kernel * channels)


def depthwise(graph: StreamGraph, x: str, weights: Weights, channels: int, kernel: int) -> str:
    """CausalDepthwiseConv1d: x (B, T, C) -> (B, T, C)."""
    whole = graph.context(x, kernel - 1, channels)
    filters = weights.take("weight", channels, kernel)[:, None]  # (C, 1, K)
    first = graph.op("Transpose", whole, perm=[0, 2, 1])
    bias = graph.constant(weights.take("bias", channels))
    y = graph.op("Conv", first, graph.constant(filters), bias, group=channels)
    return graph.op("Transpose", y, perm=[0, 2, 1])


def block(
    graph: StreamGraph, x: str, weights: Weights, channels: int, kernel: int, ffn_factor: int
) -> str:
    """ConvNeXtBlock: x + gamma FFN(RMSNorm(depthwise(x))); gamma is a part of the last matrix."""
    y = depthwise(graph, x, weights.part("depthwise"), channels, kernel)
    y = graph.rms_norm(y, weights.take("norm.weight", channels))
    inner = ffn_factor * channels
    y = linear(graph, y, weights.part("up"), inner, channels)
    y = graph.op("Gelu", y, domain="com.microsoft")
    gamma = weights.take("gamma", channels)
    matrix = gamma[:, None] * weights.take("down.weight", channels, inner)
    y = graph.linear(y, matrix, gamma * weights.take("down.bias", channels))
    return graph.op("Add", x, y)


def stage(
    graph: StreamGraph,
    x: str,
    weights: Weights,
    channels: int,
    depth: int,
    kernel: int,
    ffn_factor: int,
) -> str:
    """`depth` blocks of one width."""
    for number in range(depth):
        of_block = weights.part(f"layers.{number}")
        x = block(graph, x, of_block, channels, kernel, ffn_factor)
    return x


def conv_transpose(
    graph: StreamGraph, x: str, weights: Weights, channels: int, out: int, kernel: int, stride: int
) -> str:
    """CausalConvTranspose1d: x (B, T, C) -> (B, T S, out), for kernels of one or two strides."""
    count = kernel // stride
    assert count in (1, 2), "the codec's kernels are one or two strides long"
    y = graph.linear(x, weights.take("linear.weight", kernel * out, channels))
    if count == 2:
        first, second = graph.halves(y, axis=2)  # (B, T, S out) each
        before, renew = graph.tail(1, stride * out)
        late = graph.op("Concat", before, second, axis=1)
        renew(graph.slice(late, -1, _END))
        y = graph.op("Add", first, graph.slice(late, 0, -1))
    y = graph.reshape(y, 0, -1, out)
    return graph.op("Add", y, graph.constant(weights.take("bias", out)))
