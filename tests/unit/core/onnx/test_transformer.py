"""What the graph of a step cannot express is refused."""

from typing import Any

import pytest

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.transformer import Transformer
from latentspeech.core.onnx.from_torch import module_weights
from latentspeech.core.onnx.step_graphs import in_place_graph, step_graph


@pytest.mark.parametrize("setting", [{"causal": False}, {"rotary": False}])
def test_other_orders_and_positions_are_refused(setting: dict[str, Any]) -> None:
    sizes = {"model_dim": 8, "num_layers": 1, "num_heads": 1, "num_kv_heads": 1, "head_dim": 8}
    model = Transformer(TransformerConfig(**sizes, ffn_dim=8, **setting))
    with pytest.raises(ConfigError, match="it steps causal ones with rotary positions"):
        step_graph(model.config, module_weights(model), int8=False)
    with pytest.raises(ConfigError, match="it steps causal ones with rotary positions"):
        in_place_graph(model.config, module_weights(model), int8=False, num_rows=1)
