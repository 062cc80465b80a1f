"""Writes ONNX graphs operation by operation and runs them, to make small steps fast on a CPU.

A step of a small model is a hundred operations on a few rows. torch spends more time on dispatching
such operations than on computing them; ONNX Runtime plans them once. A graph is made from a
module's weights when it is needed, so no exported file can get out of date.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from latentspeech.core.errors import ConfigError
from latentspeech.core.forks import call_in_forks

Shape = Sequence[int | str]
Array = NDArray[Any]

_BLOCK = 64  # weights that share a scale
_ZERO = 128  # the unsigned byte that means 0
# Lower bound on the largest weight of a block. Without it, blocks of zeros, as new layers have
# (recipes/tts/grow_model.py), get a denormal scale and take several times as long.
_LEAST = 1e-20

_OPSETS = {"": 18, "com.microsoft": 1}


class OnnxGraph:
    """Operations appended one by one; values are known by name."""

    def __init__(self, name: str, int8: bool = False) -> None:
        self._name = name
        self._int8 = int8
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._num_values = 0

    def input(self, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> str:
        """Declares an input; in its shape, a size that varies is a name."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, value: str) -> None:
        """Declares an output of this name with the given value."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))

    def constant(self, value: Array) -> str:
        """Adds a number or an array that is a part of the graph."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
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
        node = helper.make_node(kind, inputs, results, domain=domain, **attributes)
        self._nodes.append(node)
        return results

    def halves(self, value: str, axis: int) -> list[str]:
        """Splits a value into two equal parts."""
        return self.ops(2, "Split", value, axis=axis, num_outputs=2)

    def linear(self, value: str, layer: nn.Module | Tensor) -> str:
        """Computes x W^T + b for a linear layer, or x W^T for a matrix."""
        weight = layer if isinstance(layer, Tensor) else layer.get_parameter("weight")
        product = self._product(value, array(weight))
        bias = None if isinstance(layer, Tensor) else getattr(layer, "bias", None)
        return product if bias is None else self.op("Add", product, self.constant(array(bias)))

    def _product(self, value: str, weight: Array) -> str:
        """Computes x W^T for a matrix (N, K).

        The scales are max / 127. ONNX Runtime's own quantizer has max / -128 and other weights.
        """
        if not self._int8:
            return self.op("MatMul", value, self.constant(weight.T))
        size, width = weight.shape
        blocks = -(-width // _BLOCK)
        padded = np.pad(weight, ((0, 0), (0, blocks * _BLOCK - width)))
        parts = padded.reshape(size, blocks, _BLOCK)
        scales = np.maximum(np.abs(parts).max(axis=2), _LEAST) / (_ZERO - 1)
        levels = np.round(parts / scales[..., None]) + _ZERO
        return self.op(
            "MatMulNBits",
            value,
            self.constant(levels.astype(np.uint8)),
            self.constant(scales.astype(np.float32)),
            domain="com.microsoft",
            K=width,
            N=size,
            bits=8,
            block_size=_BLOCK,
            accuracy_level=4,  # the inputs become int8 as well
        )

    def rms_norm(self, value: str, layer: nn.RMSNorm) -> str:
        """Applies RMSNorm over the last axis."""
        gain = torch.ones(layer.normalized_shape) if layer.weight is None else layer.weight
        gain_name = self.constant(array(gain))
        return self.op("SimplifiedLayerNormalization", value, gain_name, axis=-1, epsilon=layer.eps)

    def silu(self, value: str) -> str:
        """x sigmoid(x)."""
        return self.op("Mul", value, self.op("Sigmoid", value))

    def session(self, num_threads: int) -> onnxruntime.InferenceSession:
        """A session of ONNX Runtime that runs the graph on the CPU."""
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._constants
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        # Threads that go on spinning after a call would take time from the codec's threads.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )


class OnnxFunction:
    """A compiled graph; it takes arrays by name and returns arrays in order.

    In a forked process, where the threads of its session do not exist, it makes the graph again
    and runs it with one thread.
    """

    def __init__(self, make_graph: Callable[[], OnnxGraph], num_threads: int) -> None:
        self._make_graph = make_graph
        self._session: onnxruntime.InferenceSession | None = make_graph().session(num_threads)
        if num_threads > 1:
            _with_threads.add(self)

    def __call__(self, inputs: Mapping[str, Array]) -> list[Array]:
        """The outputs in the order in which they were declared."""
        if self._session is None:
            self._session = self._make_graph().session(num_threads=1)
        outputs: list[Array] = self._session.run(None, inputs)
        return outputs

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


def array(tensor: Tensor) -> Array:
    """A CPU tensor as a float32 array, without a copy if the tensor is float32 already."""
    if tensor.device.type != "cpu":
        raise ConfigError(
            f"the onnx runtime runs on the CPU, the model is on {tensor.device}; "
            "move it there or use the torch runtime"
        )
    values: Array = tensor.detach().float().numpy()
    return values
