"""What the graph of a step cannot express is refused; a cache goes with its last user."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.transformer import Transformer
from latentspeech.core.onnx.cache import OnnxCache
from latentspeech.core.onnx.from_torch import module_weights
from latentspeech.core.onnx.step_graphs import in_place_graph, step_graph
from latentspeech.core.onnx.transformer import OnnxTransformer


@pytest.mark.parametrize("setting", [{"causal": False}, {"rotary": False}])
def test_other_orders_and_positions_are_refused(setting: dict[str, Any]) -> None:
    sizes = {"model_dim": 8, "num_layers": 1, "num_heads": 1, "num_kv_heads": 1, "head_dim": 8}
    model = Transformer(TransformerConfig(**sizes, ffn_dim=8, **setting))
    with pytest.raises(ConfigError, match="it steps causal ones with rotary positions"):
        step_graph(model.config, module_weights(model), int8=False)
    with pytest.raises(ConfigError, match="it steps causal ones with rotary positions"):
        in_place_graph(model.config, module_weights(model), int8=False, num_rows=1)


def test_a_cache_is_freed_without_the_garbage_collector() -> None:
    """It keeps the runs that are bound to its memory, so none of them may keep the cache."""
    sizes = {"model_dim": 16, "num_layers": 1, "num_heads": 1, "num_kv_heads": 1, "head_dim": 16}
    model = Transformer(TransformerConfig(**sizes, ffn_dim=16))
    transformer = OnnxTransformer(model.config, module_weights(model), num_threads=1)
    cache = OnnxCache(model.config)
    transformer.step(np.zeros((1, 1, 16), dtype=np.float32), cache)
    assert cache.bound
    known = weakref.ref(cache)
    gc.disable()
    try:
        del cache
        assert known() is None
    finally:
        gc.enable()
