"""Turns a dynamically quantised ONNX graph into one of float32 products, and its sines into sums.

onnxruntime's quantiser replaces a product x W + b by

    x_q, s, z = DynamicQuantizeLinear(x);  y = Cast(x_q * W_q + floor(b / (s s_W))) (s s_W)

Here y = x W + b again, with W = (W_q - z_W) s_W, one scale and zero point a tensor.
What Snake activations take, sin(x)^2, becomes a polynomial of what x is above the nearest multiple
of pi: OpenVINO has no vectorised sine.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_INTEGER_OPS = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}
# sin(r) / r of r^2, r in -pi/2..pi/2: Taylor's coefficients, the last two bent to the interval.
_SINE = (1.0, -1 / 6, 0.998 / 120, -0.93 / 5040)


class _Graph:
    """A graph's nodes by what they make and take."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.proto = graph
        self.initializers = {item.name: item for item in graph.initializer}
        self.maker = {name: node for node in graph.node for name in node.output}
        self.takers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.takers.setdefault(name, []).append(node)

    def value(self, name: str) -> NDArray[np.float32]:
        return numpy_helper.to_array(self.initializers[name]).astype(np.float32)

    def add(self, name: str, value: NDArray[np.float32]) -> str:
        if name not in self.initializers:
            self.proto.initializer.append(numpy_helper.from_array(value, name))
            self.initializers[name] = self.proto.initializer[-1]
        return name


def with_float_products(model: onnx.ModelProto) -> None:
    """Changes a model's quantised matrix products and convolutions in place; LSTMs stay."""
    graph = _Graph(model.graph)
    replaced = {
        id(node): _float_product(graph, node)
        for node in model.graph.node
        if node.op_type in _INTEGER_OPS
    }
    nodes = [replaced.get(id(node), node) for node in model.graph.node]
    made = {name for node in replaced.values() for name in node.output}
    # The old makers of these results, and all that only they needed, are left out.
    new = {id(node) for node in replaced.values()}
    nodes = [node for node in nodes if id(node) in new or not made.intersection(node.output)]
    _keep_needed(model.graph, nodes)


def with_fast_snake(model: onnx.ModelProto) -> None:
    """Changes the sines of a model that are only squared, in place."""
    graph = _Graph(model.graph)
    terms = [graph.add(f"snake_{order}", _scalar(value)) for order, value in enumerate(_SINE)]
    pi, inverse = graph.add("pi", _scalar(np.pi)), graph.add("inverse_pi", _scalar(1 / np.pi))
    nodes = []
    for node in model.graph.node:
        name = node.output[0] if node.output else ""
        takers = [taker.op_type for taker in graph.takers.get(name, [])]
        if node.op_type != "Sin" or takers != ["Pow"]:
            nodes.append(node)
            continue
        steps = [
            ("Mul", (node.input[0], inverse), "turns"),
            ("Round", (f"{name}_turns",), "whole"),
            ("Mul", (f"{name}_whole", pi), "shift"),
            ("Sub", (node.input[0], f"{name}_shift"), "rest"),
            ("Mul", (f"{name}_rest", f"{name}_rest"), "square"),
            ("Mul", (f"{name}_square", terms[3]), "p3"),
            ("Add", (f"{name}_p3", terms[2]), "s2"),
            ("Mul", (f"{name}_s2", f"{name}_square"), "p2"),
            ("Add", (f"{name}_p2", terms[1]), "s1"),
            ("Mul", (f"{name}_s1", f"{name}_square"), "p1"),
            ("Add", (f"{name}_p1", terms[0]), "s0"),
        ]
        nodes += [
            helper.make_node(op, names, [f"{name}_{made}"], name=f"{node.name}_{made}")
            for op, names, made in steps
        ]
        nodes.append(helper.make_node("Mul", (f"{name}_rest", f"{name}_s0"), [name], node.name))
    _keep_needed(model.graph, nodes)


def _scalar(value: float) -> NDArray[np.float32]:
    return np.array(value, np.float32)


def _float_product(graph: _Graph, node: onnx.NodeProto) -> onnx.NodeProto:
    """The product in the place of an integer one, with the name of its rescaled result."""
    quantized, weight, _, weight_zero = node.input
    (following,) = graph.takers[node.output[0]]
    inputs = [graph.maker[quantized].input[0], f"{weight}_float"]
    if following.op_type == "Add":  # of the bias, in units of the product
        (offset,) = (name for name in following.input if name != node.output[0])
        maker = graph.maker[offset]
        while maker.op_type in ("Reshape", "Cast", "Floor"):
            maker = graph.maker[maker.input[0]]
        inputs.append(maker.input[0])
        (following,) = graph.takers[following.output[0]]
    (rescaled,) = graph.takers[following.output[0]]
    (scales,) = (name for name in rescaled.input if name != following.output[0])
    step = graph.maker[quantized].output[1]
    (scale,) = (name for name in graph.maker[scales].input if name != step)
    value = (graph.value(weight) - graph.value(weight_zero)) * graph.value(scale)
    graph.add(f"{weight}_float", value)
    product = helper.make_node(_INTEGER_OPS[node.op_type], inputs, rescaled.output, name=node.name)
    product.attribute.extend(node.attribute)
    return product


def _keep_needed(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Makes these the graph's nodes, without those that its outputs do not depend on."""
    needed = {item.name for item in graph.output}
    kept = []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    initializers = [item for item in graph.initializer if item.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(initializers)
