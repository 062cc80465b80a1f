"""Packed matrices give the results of float16 weights, up to rounding of the sums."""

import pytest
import torch
from torch import nn

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn import packed_linear
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.packed_linear import PackedLinear, can_pack, pack_linears
from latentspeech.core.nn.transformer import Transformer

CONFIG = TransformerConfig(
    model_dim=32, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=8, ffn_dim=48
)

needs_kernels = pytest.mark.skipif(not can_pack(), reason="no FBGEMM kernels on this processor")


def half_weights(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
        parameter.data = parameter.data.half().float()
    return model.eval()


@needs_kernels
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_it_is_the_product_with_float16_weights(rows: int) -> None:
    linear = nn.Linear(70, 33, bias=False)
    x = torch.randn(2, rows, 70)
    expected = x @ linear.weight.detach().half().float().T
    torch.testing.assert_close(PackedLinear(linear)(x), expected, rtol=1e-5, atol=1e-5)


@needs_kernels
@pytest.mark.parametrize("ffn_kind", ["gelu", "swiglu"])
def test_a_packed_transformer_computes_the_same(ffn_kind: str) -> None:
    model = half_weights(Transformer(CONFIG.model_copy(update={"ffn_kind": ffn_kind})))
    x = torch.randn(2, 7, 32)
    with torch.inference_mode():
        expected = model(x)
        pack_linears(model)
        packed = [module for module in model.modules() if isinstance(module, PackedLinear)]
        assert len(packed) == 2 * 4
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_packed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Transformer(CONFIG).bfloat16()
    if can_pack():
        with pytest.raises(ConfigError, match=r"bfloat16 on cpu; expected float32 on the CPU"):
            pack_linears(model)
    monkeypatch.setattr(packed_linear, "can_pack", lambda: False)
    with pytest.raises(ConfigError, match="no FBGEMM kernels"):
        pack_linears(model)
