"""Six-way AdaLN-Zero: identity when fresh, a plain Transformer at unit gates, DiT's sizes."""

import math

import pytest
import torch
from torch import Tensor, nn

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.modulated_transformer import (
    ModulatedBlock,
    ModulatedTransformer,
    ModulatedTransformerConfig,
)
from latentspeech.core.nn.transformer import Transformer, whole_context

SIZES = {"model_dim": 24, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "head_dim": 6}
SIZES |= {"ffn_dim": 32, "ffn_kind": "swiglu"}


def make(**settings: object) -> ModulatedTransformer:
    torch.manual_seed(3)
    config = ModulatedTransformerConfig(cond_dim=5, **{**SIZES, **settings})
    return ModulatedTransformer(config).double().eval()


def randomize(model: nn.Module) -> None:
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)


def open_gates(model: ModulatedTransformer) -> None:
    """Gates of 1, shifts and scales of 0 for a condition of ones."""
    silu_of_one = 1 / (1 + math.exp(-1))
    width = model.config.model_dim
    for block in model.layers:
        weight = block.modulation.projection.weight
        with torch.no_grad():
            for place in (2, 5):  # shift, scale, gate, shift, scale, gate
                weight[place * width : (place + 1) * width, 0] = 1 / silu_of_one


def inputs() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 9, 24, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)


@pytest.mark.parametrize("causal", [True, False])
def test_a_fresh_block_is_the_identity(causal: bool) -> None:
    model = make(causal=causal)
    x, condition = inputs()
    context = whole_context(model.config, x, None, None)
    for block in model.layers:
        assert torch.equal(block(x, condition[:, None], context), x)
    unit = x / (x.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(model(x, condition), unit)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("ffn_kind", ["swiglu", "gelu"])
def test_with_unit_gates_it_is_the_plain_transformer(causal: bool, ffn_kind: str) -> None:
    model = make(causal=causal, ffn_kind=ffn_kind)
    open_gates(model)
    plain = Transformer(TransformerConfig(**{**SIZES, "causal": causal, "ffn_kind": ffn_kind}))
    plain.double()
    matrices = {name: p for name, p in model.state_dict().items() if "modulation" not in name}
    missing, unexpected = plain.load_state_dict(matrices, strict=False)
    assert not unexpected
    assert all("norm" in name for name in missing)  # gains, which are 1 in a fresh model
    x, _ = inputs()
    ones = torch.ones(2, 5, dtype=torch.float64)
    expected = plain(x)
    torch.testing.assert_close(model(x, ones), expected, rtol=1e-10, atol=1e-10)
    assert (expected - make(causal=causal, ffn_kind=ffn_kind)(x, ones)).abs().max() > 1e-3


def test_shift_scale_and_gate_come_in_the_order_of_the_paper() -> None:
    """Each of the six acts where it should, against the formula written out."""
    model = make()
    randomize(model)
    x, condition = inputs()
    block = model.layers[0]
    assert isinstance(block, ModulatedBlock)
    context = whole_context(model.config, x, None, None)
    projected = nn.functional.silu(condition)[:, None] @ block.modulation.projection.weight.T
    shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = projected.split(24, dim=-1)

    def unit(y: Tensor) -> Tensor:
        return y / (y.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()

    y = x + gate * block.attention((1 + scale) * unit(x) + shift, context)
    y = y + ffn_gate * block.ffn((1 + ffn_scale) * unit(y) + ffn_shift)
    torch.testing.assert_close(block(x, condition[:, None], context), y)


def test_a_condition_of_rows_equals_the_same_at_every_position() -> None:
    model = make()
    randomize(model)
    x, condition = inputs()
    everywhere = condition[:, None].expand(2, 9, 5)
    torch.testing.assert_close(model(x, condition), model(x, everywhere))
    elsewhere = everywhere.clone()
    elsewhere[:, 6] += 1
    changed = (model(x, elsewhere) - model(x, everywhere)).abs().amax(dim=(0, 2))
    assert not changed[:6].any()
    assert changed[6:].min() > 0  # causal order carries it on


def test_gradients_reach_the_condition() -> None:
    model = make()
    x, condition = inputs()
    model(x, condition.requires_grad_()).square().sum().backward()
    for layer in [*model.layers, model]:  # fresh: the condition acts through zeros, which learn
        assert layer.modulation.projection.weight.grad.abs().sum() > 0
    randomize(model)
    condition.grad = None
    model(x, condition).square().sum().backward()
    assert condition.grad.abs().min() > 0


def test_prefill_and_step_equal_forward() -> None:
    model = make()
    randomize(model)
    x, _ = inputs()
    condition = torch.randn(2, 9, 5, dtype=torch.float64)
    blocks = torch.tensor([[-1, -1, -1, 0, 0, 0, 0, -1, -1]]).expand(2, 9)
    expected = model(x, condition, block_ids=blocks)
    state = model.init_state(2, 9)
    outputs = []
    for part in (slice(0, 3), slice(3, 7), slice(7, 8), slice(8, 9)):
        ids = blocks[:, part]
        y, state = model.step(x[:, part], condition[:, part], state, block_ids=ids)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, 1), expected, rtol=1e-10, atol=1e-10)


def test_wrong_conditions_say_so() -> None:
    model = make(causal=False)
    x, condition = inputs()
    with pytest.raises(ValueError, match=r"condition has shape \(2, 4\); expected \(2, 5\)"):
        model(x, condition[:, :4])
    with pytest.raises(ValueError, match=r"expected \(2, 9, 5\)"):
        model(x, condition[:, None])
    with pytest.raises(ConfigError, match="no cache and no step"):
        model.init_state(2, 9)


@pytest.mark.parametrize(
    ("width", "layers", "heads", "ffn_dim", "millions"),
    [
        (1024, 24, 16, 2730, 457.0),
        (1536, 24, 12, 4096, 1028.0),
        (2048, 24, 16, 5461, 1827.0),
        (2560, 32, 20, 6826, 3798.0),
    ],
    ids=["medium", "large", "xl", "3b"],
)
def test_sizes_of_a_dit(width: int, layers: int, heads: int, ffn_dim: int, millions: float) -> None:
    """Table 9 with DiT's FFN of 8/3 d: attention 4 d^2, FFN 3 d (8/3 d), modulation 6 d^2."""
    config = ModulatedTransformerConfig(
        model_dim=width,
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=heads,
        head_dim=width // heads,
        ffn_dim=ffn_dim,
        ffn_kind="swiglu",
        causal=False,
        rotary=False,
        cond_dim=width,
    )
    with torch.device("meta"):
        model = ModulatedTransformer(config)
    block = sum(parameter.numel() for parameter in model.layers[0].parameters())
    assert block == 10 * width**2 + 3 * width * ffn_dim
    backbone = sum(parameter.numel() for parameter in model.parameters())
    assert backbone == layers * block + 2 * width**2  # the final modulation
    # Outside the backbone: 1001 classes, the time's two layers, patches of 16 channels in and out.
    whole = backbone + 1001 * width + (256 + width) * width + 2 * 16 * width
    assert whole == pytest.approx(millions * 1e6, rel=0.001)
