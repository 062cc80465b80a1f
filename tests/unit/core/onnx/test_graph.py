"""Linear layers whose weights are bytes."""

import numpy as np
import torch

from latentspeech.core.onnx.graph import Array, OnnxFunction, OnnxGraph


class KeepingGraph(OnnxGraph):
    """Keeps its constants for the test."""

    def __init__(self) -> None:
        self.kept: list[Array] = []
        super().__init__("test", int8=True)

    def constant(self, value: Array) -> str:
        self.kept.append(value)
        return super().constant(value)


def test_blocks_of_zeros_give_zeros_without_denormal_numbers() -> None:
    """Multiplying by denormals takes a CPU several times as long."""
    weight = torch.randn(3, 128)
    weight[:, 64:] = 0
    weight[2] = 0
    graph = KeepingGraph()
    graph.output("y", graph.linear(graph.input("x", (1, 128)), weight.numpy()))
    scales = [kept for kept in graph.kept if kept.dtype == np.float32]
    assert len(scales) == 1
    assert scales[0].min() >= np.finfo(np.float32).tiny
    x = torch.randn(1, 128)
    (y,) = OnnxFunction(lambda: graph, 1)({"x": x.numpy()})
    assert y[0, 2] == 0
    np.testing.assert_allclose(y, (x @ weight.T).numpy(), atol=0.05 * 64**0.5)


def test_a_session_keeps_no_hold_of_the_weights_it_was_given() -> None:
    """Their memory is given back once the session is there."""
    graph = OnnxGraph("test")
    weight, bias = np.ones((400, 300), np.float32), np.ones(400, np.float32)
    graph.output("y", graph.linear(graph.input("x", (1, 300)), weight, bias))
    session = graph.session(num_threads=1)
    for array in (weight, bias, *graph._constants.values()):
        array[...] = np.nan
    (y,) = session.run(None, {"x": np.ones((1, 300), np.float32)})
    np.testing.assert_array_equal(y, np.full((1, 400), 301, np.float32))
