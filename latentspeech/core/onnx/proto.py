"""Writes a graph in ONNX's file format, with numpy alone.

The format is Protocol Buffers (https://protobuf.dev/programming-guides/encoding): a message is a
list of fields, each with a number, a wire type and a value. The numbers are those of onnx.proto3.
The package `onnx` would do the same, but takes 35 MB and a tenth of a second of every start.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

FLOAT, DOUBLE, INT64, INT32, BOOL = 1, 11, 7, 6, 9  # element types of ONNX
_KINDS = {"float32": FLOAT, "uint8": 2, "int8": 3, "int64": INT64, "bool": BOOL, "float64": DOUBLE}
_VARINT, _BYTES, _FIXED32 = 0, 2, 5  # wire types
_FLOAT_VALUE, _INT_VALUE, _INTS_VALUE = 1, 2, 7  # types of attributes
_IR_VERSION = 9
_EXTERNAL = 1  # where a tensor's data is
_MOST_BYTES_INSIDE = 1024


class Node(NamedTuple):
    """An operation, the names of its inputs and results, and its attributes."""

    kind: str
    inputs: Sequence[str]
    results: Sequence[str]
    domain: str
    attributes: Mapping[str, Any]


class Value(NamedTuple):
    """The name, element type and shape of an input or output; in a shape, a name is any size."""

    name: str
    kind: int
    shape: Sequence[int | str] | None


def write_graph(
    name: str,
    nodes: Sequence[Node],
    constants: Mapping[str, NDArray[Any]],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    opsets: Mapping[str, int],
) -> bytes:
    """The bytes of an ONNX model."""
    graph = b"".join(
        (
            *(_message(1, _node(node)) for node in nodes),
            _text(2, name),
            *(_message(5, _tensor(key, value)) for key, value in constants.items()),
            *(_message(11, _value(value)) for value in inputs),
            *(_message(12, _value(value)) for value in outputs),
        )
    )
    versions = [_text(1, domain) + _integer(2, version) for domain, version in opsets.items()]
    parts = (_integer(1, _IR_VERSION), _message(7, graph), *(_message(8, v) for v in versions))
    return b"".join(parts)


def _node(node: Node) -> bytes:
    return b"".join(
        (
            *(_text(1, name) for name in node.inputs),
            *(_text(2, name) for name in node.results),
            _text(4, node.kind),
            *(_message(5, _attribute(*item)) for item in node.attributes.items()),
            _text(7, node.domain),
        )
    )


def _attribute(name: str, value: Any) -> bytes:
    if isinstance(value, float):
        of_value = _key(2, _FIXED32) + struct.pack("<f", value) + _integer(20, _FLOAT_VALUE)
    elif isinstance(value, int):
        of_value = _integer(3, value) + _integer(20, _INT_VALUE)
    else:
        of_value = b"".join(_integer(8, item) for item in value) + _integer(20, _INTS_VALUE)
    return _text(1, name) + of_value


def _tensor(name: str, array: NDArray[Any]) -> bytes:
    sizes = b"".join(_integer(1, size) for size in array.shape)
    kind = _integer(2, _KINDS[array.dtype.name])
    if is_external(array):
        place = _message(13, _text(1, "location") + _text(2, "memory"))
        return sizes + kind + _text(8, name) + place + _integer(14, _EXTERNAL)
    return sizes + kind + _text(8, name) + _message(9, array.tobytes())


def is_external(array: NDArray[Any]) -> bool:
    """Whether an array is left out of the bytes, for the caller to hand to the session itself."""
    return array.nbytes > _MOST_BYTES_INSIDE


def _value(value: Value) -> bytes:
    tensor = _integer(1, value.kind)
    if value.shape is not None:
        sizes = (_integer(1, n) if isinstance(n, int) else _text(2, n) for n in value.shape)
        tensor += _message(2, b"".join(_message(1, size) for size in sizes))
    return _text(1, value.name) + _message(2, _message(1, tensor))


def _message(field: int, content: bytes) -> bytes:
    return b"".join((_key(field, _BYTES), _varint(len(content)), content))


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _integer(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers in two's complement of 64 bits."""
    value &= (1 << 64) - 1
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
