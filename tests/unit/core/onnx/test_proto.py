"""What is written is ONNX, as the package `onnx` reads it."""

import numpy as np
import onnx
from onnx import numpy_helper

from latentspeech.core.onnx.proto import FLOAT, INT64, Node, Value, write_graph


def test_the_package_onnx_reads_what_is_written() -> None:
    constants = {
        "c": np.arange(6, dtype=np.float32).reshape(2, 3),
        "axes": np.array([-1, 2**40], dtype=np.int64),
        "flag": np.array(True),
        "byte": np.arange(300, dtype=np.uint8),
        "wide": np.array(0.25),
    }
    split = {"axis": -1, "num_outputs": 2}
    nodes = [
        Node("Split", ["x"], ["a", "b"], "", split),
        Node("Transpose", ["a"], ["y"], "", {"perm": [1, 0]}),
        Node("Gelu", ["b"], ["z"], "com.microsoft", {"alpha": 0.5}),
    ]
    data = write_graph(
        "graph",
        nodes,
        constants,
        [Value("x", FLOAT, ["N", 4])],
        [Value("y", FLOAT, None), Value("z", INT64, [])],
        {"": 18, "com.microsoft": 1},
    )
    model = onnx.load_from_string(data)
    assert {o.domain: o.version for o in model.opset_import} == {"": 18, "com.microsoft": 1}
    graph = model.graph
    assert [node.op_type for node in graph.node] == ["Split", "Transpose", "Gelu"]
    assert list(graph.node[0].output) == ["a", "b"]
    attributes = {
        a.name: onnx.helper.get_attribute_value(a) for n in graph.node for a in n.attribute
    }
    assert attributes == {**split, "perm": [1, 0], "alpha": 0.5}
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name, value in constants.items():
        assert found[name].dtype == value.dtype
        assert np.array_equal(found[name], value)
    sizes = graph.input[0].type.tensor_type.shape.dim
    assert [sizes[0].dim_param, sizes[1].dim_value] == ["N", 4]
    assert not graph.output[0].type.tensor_type.HasField("shape")
    assert graph.output[1].type.tensor_type.elem_type == INT64
