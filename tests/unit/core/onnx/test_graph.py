"""Linear layers whose weights are bytes."""

import numpy as np

from latentspeech.core.onnx.graph import Array, OnnxFunction, OnnxGraph


class KeepingGraph(OnnxGraph):
    """Keeps its constants for the test."""

    def __init__(self) -> None:
        self.kept: list[Array] = []
        super().__init__("test", int8=True)

    def constant(self, value: Array) -> str:
        self.kept.append(value)
        return super().constant(value)


def product(x: Array, weight: Array) -> tuple[Array, list[Array]]:
    """x W^T with weights of one byte, and the constants of its graph."""
    graph = KeepingGraph()
    graph.output("y", graph.linear(graph.input("x", ["N", x.shape[1]]), weight))
    (y,) = OnnxFunction(lambda: graph, 1)({"x": x})
    return y, graph.kept


def normal(*shape: int) -> Array:
    return np.random.default_rng(4).standard_normal(shape, dtype=np.float32)


def test_rows_of_zeros_give_zeros_without_denormal_numbers() -> None:
    """Multiplying by denormals takes a CPU several times as long."""
    weight, x = normal(3, 127), normal(2, 127)
    weight[2], x[1] = 0, 0
    y, constants = product(x, weight)
    (scales,) = (kept for kept in constants if kept.shape == (3,))
    assert scales.min() >= np.finfo(np.float32).tiny
    assert y[0, 2] == 0
    assert not y[1].any()
    np.testing.assert_allclose(y, x @ weight.T, atol=0.02 * 127**0.5)


def test_a_row_does_not_depend_on_other_rows() -> None:
    """Not even on rows a thousand times as large, nor on how many there are."""
    weight, x = normal(40, 64), normal(9, 64)
    x[3:] *= 1000
    together, _ = product(x, weight)
    alone = np.concatenate([product(row[None], weight)[0] for row in x])
    np.testing.assert_array_equal(together, alone)


def test_the_largest_bytes_are_multiplied_exactly() -> None:
    """Some processors add up pairs of products in 16 bits, which must be enough."""
    weight, x = np.full((16, 64), 0.5, np.float32), np.ones((1, 64), np.float32)
    y, constants = product(x, weight)
    (levels,) = (kept for kept in constants if kept.dtype == np.int8)
    np.testing.assert_array_equal(levels, 64)
    np.testing.assert_allclose(y, 64 * 64 * 0.5 * 2 / 127, rtol=1e-6)


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
