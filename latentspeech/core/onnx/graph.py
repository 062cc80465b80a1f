"""Writes ONNX graphs operation by operation and runs them, to make small steps fast on a CPU.

A step of a small model is a hundred operations on a few rows. torch spends more time on dispatching
such operations than on computing them; ONNX Runtime plans them once. A graph is made from a
model's weights when it is needed, so no exported file can belong to other weights.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from latentspeech.core.forks import call_in_forks
from latentspeech.core.nn.config import NORM_EPS
from latentspeech.core.onnx.proto import FLOAT, Node, Value, is_external, write_graph

Shape = Sequence[int | str]
Array = NDArray[Any]

_MOST = 127  # the largest level of a byte
_ZERO = 128  # the unsigned byte that means an input of 0
# Lower bound on the scale of a row of weights. Without it, rows of zeros, as new layers have
# (recipes/tts/grow_model.py), get a denormal scale and take several times as long.
_LEAST = 1e-22
_STEP = np.array(1 / _MOST, dtype=np.float32)
_OPSETS = {"": 18, "com.microsoft": 1}


class OnnxGraph:
    """Operations appended one by one; values are known by name."""

    def __init__(self, name: str, int8: bool = False) -> None:
        self._name = name
        self._int8 = int8
        self._nodes: list[Node] = []
        self._constants: dict[str, Array] = {}
        self._inputs: list[Value] = []
        self._outputs: list[Value] = []
        self._names: dict[str, str] = {}  # of outputs, by the names that results had before
        self._num_values = 0

    def input(self, name: str, shape: Shape, kind: int = FLOAT) -> str:
        """Declares an input; in its shape, a size that varies is a name."""
        self._inputs.append(Value(name, kind, shape))
        return name

    def output(self, name: str, value: str, kind: int = FLOAT) -> None:
        """Declares an output of this name, which is the result of an operation."""
        assert value not in self._names, "a result can be one output"
        self._names[value] = name
        self._outputs.append(Value(name, kind, None))

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, in the order in which they were declared."""
        return [output.name for output in self._outputs]

    def constant(self, value: Array) -> str:
        """Adds a number or an array that is a part of the graph."""
        name = f"c{len(self._constants)}"
        self._constants[name] = np.ascontiguousarray(value).reshape(np.shape(value))
        return name

    def integers(self, *values: int) -> str:
        """Adds a constant that lists axes, sizes or indices."""
        return self.constant(np.array(values, dtype=np.int64))

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Appends an operation with one result."""
        return self.ops(1, kind, *inputs, domain=domain, **attributes)[0]

    def ops(
        self, num_results: int, kind: str, *inputs: str, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Appends an operation with several results."""
        results = [f"v{self._num_values + i}" for i in range(num_results)]
        self._num_values += num_results
        self._nodes.append(Node(kind, inputs, results, domain, attributes))
        return results

    def halves(self, value: str, axis: int) -> list[str]:
        """Splits a value into two equal parts."""
        return self.ops(2, "Split", value, axis=axis, num_outputs=2)

    def linear(
        self, value: str, weight: Array, bias: Array | None = None, as_floats: bool = False
    ) -> str:
        """Computes x W^T + b for a matrix (N, K) and perhaps a bias (N,).

        With `as_floats` the weights stay in float32, which is faster if they are few.
        """
        product = self._product(value, weight, self._int8 and not as_floats)
        return product if bias is None else self.op("Add", product, self.constant(bias))

    def _product(self, value: str, weight: Array, as_bytes: bool) -> str:
        """Computes x W^T for a matrix (N, K).

        Bytes are multiplied exactly, and each row of x has a scale of its own, its largest number.
        So a row's result does not depend on the other rows, nor on their number.
        """
        if not as_bytes:
            return self.op("MatMul", value, self.constant(weight.T))
        scales = _scales(weight)
        levels = np.round(weight / scales[:, None]).astype(np.int8)
        step, zero = self.constant(_STEP), self.constant(np.array(_ZERO, dtype=np.uint8))
        largest = self.op("ReduceMax", self.op("Abs", value), self.integers(-1), keepdims=1)
        # A row of zeros becomes 0 / 0 here, any bytes next, and zeros again in the last product.
        rows = self.op("QuantizeLinear", self.op("Div", value, largest), step, zero)
        matrix = self.constant(levels.T), step, self.constant(scales), zero
        product = self.op("MatMulIntegerToFloat", rows, *matrix, domain="com.microsoft")
        return self.op("Mul", product, largest)

    def rms_norm(self, value: str, gain: Array) -> str:
        """Applies RMSNorm with gains (d,) over the last axis."""
        name = self.constant(gain)
        return self.op("SimplifiedLayerNormalization", value, name, axis=-1, epsilon=NORM_EPS)

    def silu(self, value: str) -> str:
        """x sigmoid(x)."""
        return self.op("Mul", value, self.op("Sigmoid", value))

    def gelu(self, value: str) -> str:
        """x Phi(x) by the error function."""
        half, one, root_half = (
            self.constant(np.array(number, dtype=np.float32)) for number in (0.5, 1, 0.5**0.5)
        )
        erf = self.op("Erf", self.op("Mul", value, root_half))
        return self.op("Mul", self.op("Mul", value, half), self.op("Add", erf, one))

    def session(self, num_threads: int) -> onnxruntime.InferenceSession:
        """A session of ONNX Runtime that runs the graph on the CPU."""
        nodes = [
            node._replace(inputs=self._named(node.inputs), results=self._named(node.results))
            for node in self._nodes
        ]
        model = write_graph(
            self._name, nodes, self._constants, self._inputs, self._outputs, _OPSETS
        )
        options = onnxruntime.SessionOptions()
        # Handed over as they are, weights are not copied into the model's bytes and out again. The
        # session copies them, as its C API promises, so they need not outlive this call.
        outside = {name: value for name, value in self._constants.items() if is_external(value)}
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in outside.values()]
        options.add_external_initializers(list(outside), values)
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        # Threads that go on spinning after a call would take time from the codec's threads.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def _named(self, values: Sequence[str]) -> list[str]:
        return [self._names.get(value, value) for value in values]


def _scales(weight: Array) -> Array:
    """The scale of each row of a matrix (N, K) as bytes, (N,).

    Processors with AVX2 alone add up the products of two neighbouring columns in 16 bits. So the
    levels of two neighbours together are at most 127, and 128 with their rounding: 128 * 255 fits.
    """
    sizes = np.pad(np.abs(weight), ((0, 0), (0, weight.shape[1] % 2)))
    of_pairs = (sizes[:, ::2] + sizes[:, 1::2]).max(axis=1)
    return np.maximum(of_pairs / _MOST, _LEAST).astype(np.float32)


class OnnxFunction:
    """A compiled graph; it takes arrays by name and returns arrays in order.

    In a forked process, where the threads of its session do not exist, it makes the graph again
    and runs it with one thread.
    """

    def __init__(
        self, make_graph: Callable[[], OnnxGraph], num_threads: int, graph: OnnxGraph | None = None
    ) -> None:
        """Args: `graph` is what `make_graph` returns, if it is there already."""
        self._session: onnxruntime.InferenceSession | None
        self._session = (graph or make_graph()).session(num_threads)
        self._make_graph: Callable[[], OnnxGraph] | None = None
        if num_threads > 1:  # a session of one thread works in forks as it is
            self._make_graph = make_graph
            _with_threads.add(self)

    def __call__(self, inputs: Mapping[str, Array]) -> list[Array]:
        """The outputs in the order in which they were declared."""
        outputs: list[Array] = self.session.run(None, inputs)
        return outputs

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """The session of this process."""
        if self._session is None:
            assert self._make_graph is not None
            self._session = self._make_graph().session(num_threads=1)
        return self._session

    def leave_session(self) -> None:
        """Gives up the session of the process that this one was forked from.

        The session is kept, since its destructor would wait for its threads.
        """
        _left_behind.append(self._session)
        self._session = None


_with_threads: weakref.WeakSet[OnnxFunction] = weakref.WeakSet()
_left_behind: list[Any] = []


def _leave_sessions() -> None:
    for function in list(_with_threads):
        function.leave_session()
    _with_threads.clear()


call_in_forks(_leave_sessions)
