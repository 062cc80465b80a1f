"""Kokoro's network on a CPU: as it is packaged, in int8; or with its generator in bfloat16.

The packaged graph quantises every activation before every product. A CPU that multiplies bfloat16
is twice as fast without that, if only the network that makes the waveform uses bfloat16: with the
phases of the harmonic source in bfloat16 too, DNSMOS falls from 3.4 to 2.2
(docs/log/2026-11-22.md). On such a CPU the graph runs in three parts: phonemes to durations,
features and harmonic source in float32; the generator in bfloat16 (OpenVINO); the inverse STFT in
float32.
"""

import logging
import os
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from egs.mini.local.sources.synthesizers.float_graph import with_fast_snake, with_float_products

logger = logging.getLogger(__name__)

DURATIONS = "/encoder/Clip_output_0"  # (1, tokens), frames
_SOURCE = "/decoder/decoder/generator/Concat_3_output_0"  # (1, 22, frames): harmonics' spectrum
_SPECTRUM = "/decoder/decoder/generator/conv_post/Conv_output_0"  # (1, 22, frames)
# Of all tensors that go from one part to another, or out.
_RANKS = {
    "/decoder/Slice_output_0": 2,  # style (1, 128)
    "/encoder/MatMul_1_output_0": 3,  # features (1, 512, frames)
    "/encoder/Reshape_1_output_0": 2,  # energy (1, 2 frames)
    "/decoder/decoder/Unsqueeze_output_0": 3,  # pitch (1, 1, 2 frames)
    _SOURCE: 3,
    _SPECTRUM: 3,
    DURATIONS: 2,
    "audio": 1,
}

Arrays = dict[str, NDArray[Any]]


class KokoroNetwork(Protocol):
    """Tokens to samples."""

    def __call__(self, inputs: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Samples (T,) and frames that each token lasts (tokens,), of tokens, style and speed."""


class Int8Network:
    """The packaged graph; one thread a call, so that callers may share it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        model.graph.output.append(_tensor(DURATIONS))
        self._session = _session(model)

    def __call__(self, inputs: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As the protocol says."""
        samples, durations = self._session.run(["audio", DURATIONS], inputs)
        return samples.ravel(), durations.ravel()


class Bfloat16Network:
    """The three parts; one thread a call, so that callers may share it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        import openvino

        with_float_products(model)
        with_fast_snake(model)
        front, generator, back = _cut(model)
        self._front, self._back = _session(front.model), _session(back.model)
        self._front_names, self._generator_names = front.outputs, generator.inputs
        cores = len(os.sched_getaffinity(0))
        self._generator = openvino.Core().compile_model(
            openvino.Core().read_model(generator.model.SerializeToString()),
            "CPU",
            {
                # Requests of one stream wait for each other.
                "NUM_STREAMS": cores,
                "INFERENCE_NUM_THREADS": cores,
                "ENABLE_CPU_PINNING": False,
                "INFERENCE_PRECISION_HINT": "bf16",
            },
        )

    def __call__(self, inputs: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As the protocol says."""
        made = dict(zip(self._front_names, self._front.run(self._front_names, inputs), strict=True))
        request = self._generator.create_infer_request()
        spectrum = request.infer({name: made[name] for name in self._generator_names})[0]
        (samples,) = self._back.run(["audio"], {_SPECTRUM: spectrum})
        return samples.ravel(), made[DURATIONS].ravel()


def open_network(path: str) -> KokoroNetwork:
    """Opens the faster of the two that this CPU and its packages allow, and logs which."""
    model = onnx.load(path)
    if not _multiplies_bfloat16():
        logger.info("Kokoro speaks in int8: no OpenVINO here, or a CPU without bfloat16")
        return Int8Network(model)
    logger.info("Kokoro speaks with its generator in bfloat16")
    return Bfloat16Network(model)


def _multiplies_bfloat16() -> bool:
    try:
        import openvino
    except ImportError:
        return False
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class _Part(NamedTuple):
    model: onnx.ModelProto
    inputs: list[str]
    outputs: list[str]


def _cut(model: onnx.ModelProto) -> list[_Part]:
    """What the harmonic source needs and all before the decoder; the generator; what follows it."""
    nodes = list(model.graph.node)
    before = _made_from(nodes, [_SOURCE], backwards=True)
    after = _made_from(nodes, [_SPECTRUM], backwards=False)
    owner = [
        2 if i in after else 0 if i in before or not node.name.startswith("/decoder/") else 1
        for i, node in enumerate(nodes)
    ]
    return [
        _part(model, [node for node, own in zip(nodes, owner, strict=True) if own == number])
        for number in range(3)
    ]


def _made_from(nodes: list[onnx.NodeProto], names: Iterable[str], *, backwards: bool) -> set[int]:
    """Numbers of the nodes that these tensors come from, or, forwards, that come from them."""
    reached, found = set(names), set()
    for number in reversed(range(len(nodes))) if backwards else range(len(nodes)):
        node = nodes[number]
        here, there = (node.output, node.input) if backwards else (node.input, node.output)
        if reached.intersection(here):
            found.add(number)
            reached.update(name for name in there if name)
    return found


def _part(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> _Part:
    graph = model.graph
    stored = {item.name: item for item in graph.initializer}
    made = {name for node in nodes for name in node.output}
    mine = {id(node) for node in nodes}
    taken_elsewhere = {name for node in graph.node if id(node) not in mine for name in node.input}
    taken_elsewhere.update((DURATIONS, "audio"))
    given = {name for node in nodes for name in node.input if name}
    inputs = sorted(given - made - set(stored))
    outputs = sorted(made & taken_elsewhere)
    known = {item.name: item for item in graph.input}
    part = helper.make_graph(
        nodes,
        "part",
        [known.get(name) or _tensor(name) for name in inputs],
        [_tensor(name) for name in outputs],
        [stored[name] for name in sorted(given & set(stored))],
    )
    made_model = helper.make_model(part, opset_imports=model.opset_import)
    made_model.ir_version = model.ir_version
    return _Part(made_model, inputs, outputs)


def _tensor(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * _RANKS[name])


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
