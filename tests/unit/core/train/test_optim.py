import math

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.train.optim import (
    OptimizerConfig,
    OptimizerSpec,
    build_optimizers,
    layer_decay,
    learning_rate,
    parameter_groups,
)


def test_warmup_and_cosine():
    config = OptimizerConfig(
        lr=1.0, warmup_steps=4, schedule="cosine", total_steps=14, final_lr_ratio=0.2
    )
    rates = [learning_rate(config, step) for step in range(16)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[4] == pytest.approx(1.0)
    assert rates[9] == pytest.approx(0.6)  # half way
    assert rates[6] == pytest.approx(0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi * 0.2)))
    assert rates[14:] == pytest.approx([0.2, 0.2])


def test_constant_and_exponential():
    constant = OptimizerConfig(lr=0.5, warmup_steps=2)
    assert [learning_rate(constant, step) for step in (0, 1, 2, 1000)] == [0.25, 0.5, 0.5, 0.5]
    falling = OptimizerConfig(lr=1.0, schedule="exponential", total_steps=10, final_lr_ratio=0.01)
    rates = [learning_rate(falling, step) for step in (0, 5, 10, 20)]
    assert rates == pytest.approx([1.0, 0.1, 0.01, 0.01])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": "cosine"}, "total_steps"),
        ({"schedule": "cosine", "warmup_steps": 10, "total_steps": 10}, "exceed"),
        ({"total_steps": 10}, "no end"),
        ({"schedule": "exponential", "total_steps": 5, "final_lr_ratio": 0}, "never reaches 0"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"lr": 0}, "greater than 0"),
    ],
)
def test_settings_without_effect_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        OptimizerConfig(**settings)


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.linear = nn.Linear(4, 3)
        self.norm = nn.LayerNorm(3)
        self.gain = nn.Parameter(torch.ones(1, 1, 3))
        self.frozen = nn.Linear(4, 4).requires_grad_(False)


def test_only_matrices_are_decayed():
    module = Mixed()
    decayed, plain = (group.options(0.1) for group in parameter_groups(module, {}))
    assert [id(p) for p in decayed["params"]] == [id(module.linear.weight)]
    assert decayed["weight_decay"] == 0.1
    assert decayed["lr_factor"] == plain["lr_factor"] == 1.0
    names = {id(p): name for name, p in module.named_parameters()}
    assert {names[id(p)] for p in plain["params"]} == {
        "embedding.weight",
        "linear.bias",
        "norm.weight",
        "norm.bias",
        "gain",
    }
    assert plain["weight_decay"] == 0.0


def test_step_decays_by_rate_and_clips():
    module = nn.Linear(2, 2, bias=False)
    root = nn.ModuleDict({"m": module})
    config = OptimizerConfig(lr=0.1, weight_decay=0.5, clip_norm=1.0)
    optimizer = build_optimizers({"only": OptimizerSpec(module, config)}, root)["only"]
    before = module.weight.detach().clone()
    module.weight.grad = torch.full((2, 2), 3.0)
    assert float(optimizer.clip()) == pytest.approx(6.0)
    assert float(module.weight.grad.norm()) == pytest.approx(1.0, rel=1e-4)
    assert optimizer.step(0) == 0.1
    # AdamW's first update has size lr after the decay by lr * weight_decay.
    assert torch.allclose(module.weight, before * (1 - 0.05) - 0.1, atol=1e-5)
    assert set(optimizer.tensors()) == {
        "only/m.weight/step",
        "only/m.weight/exp_avg",
        "only/m.weight/exp_avg_sq",
    }


def test_muon_takes_matrices_and_adamw_the_rest():
    module = Mixed()
    module.convolution = nn.Conv1d(2, 2, 3)
    root = nn.ModuleDict({"m": module})
    spec = OptimizerSpec(module, OptimizerConfig(kind="muon", lr=0.1, weight_decay=0.0))
    optimizer = build_optimizers({"only": spec}, root)["only"]
    before = module.linear.weight.detach().clone()
    for parameter in module.parameters():
        parameter.grad = torch.randn(parameter.shape) if parameter.requires_grad else None
    optimizer.step(0)
    # Muon's update is near orthogonal, scaled to the root mean square that AdamW's has.
    change = torch.linalg.svdvals(module.linear.weight - before) / (0.1 * 0.2 * math.sqrt(4))
    assert ((change > 0.6) & (change < 1.3)).all()
    state = optimizer.tensors()
    by_muon = {name for name in state if name.endswith("momentum_buffer")}
    assert by_muon == {"only/m.linear.weight/momentum_buffer"}
    assert {name.split("/")[1] for name in state} == {
        f"m.{name}" for name, p in module.named_parameters() if p.requires_grad
    }


class Blocks(nn.Module):
    """An embedding, eleven blocks and a head."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Linear(3, 4)
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(11))
        self.head = nn.Linear(4, 2)


def test_layer_decay_falls_towards_the_input():
    layers = ["embedding", *(f"blocks.{i}" for i in range(11))]
    factors = layer_decay(layers, 0.65)
    assert factors["blocks.10"] == pytest.approx(0.65)
    assert factors["blocks.1"] == pytest.approx(0.65**10)
    assert factors["embedding"] == pytest.approx(0.65**12)
    assert "head" not in factors
    with pytest.raises(ConfigError, match=r"layer decay is 1\.5"):
        layer_decay(layers, 1.5)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_parts_learn_at_fractions_of_the_scheduled_rate(kind):
    """Each update is the one without factors, times the factor; decay and warm-up included."""

    def changes(lr_factors, step):
        torch.manual_seed(0)
        module = Blocks()
        before = {name: p.detach().clone() for name, p in module.named_parameters()}
        config = OptimizerConfig(kind=kind, lr=0.1, weight_decay=0.5, warmup_steps=4)
        spec = OptimizerSpec(module, config, lr_factors)
        optimizer = build_optimizers({"only": spec}, module)["only"]
        for parameter in module.parameters():
            parameter.grad = torch.randn_like(parameter)
        assert optimizer.step(step) == pytest.approx(0.1 * (step + 1) / 4)
        moved = {name: p.detach() - before[name] for name, p in module.named_parameters()}
        return moved, set(optimizer.tensors())

    factors = {"embedding": 0.25, "blocks": 0.5, "blocks.1": 0.1, "blocks.2.bias": 0.0}
    plain, names = changes({}, step=1)
    scaled, same_names = changes(factors, step=1)
    assert names == same_names, "the saved state keeps its names"
    for name, moved in plain.items():
        factor = {"embedding": 0.25, "head": 1.0}.get(name.partition(".")[0], 0.5)
        factor = 0.1 if name.startswith("blocks.1.") else factor
        factor = 0.0 if name == "blocks.2.bias" else factor
        torch.testing.assert_close(scaled[name], factor * moved, rtol=1e-4, atol=1e-6)


def test_a_factor_of_nothing_is_refused():
    spec = OptimizerSpec(Blocks(), OptimizerConfig(), {"block.1": 0.5})
    with pytest.raises(ConfigError, match=r"lr_factors names 'block\.1', which has no trainable"):
        build_optimizers({"only": spec}, spec.module)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_taken_up_again_it_goes_on_the_same(kind):
    def steps(module, optimizer, first, last):
        for step in range(first, last):
            generator = torch.Generator().manual_seed(step)
            for parameter in optimizer.parameters:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step(step)

    def build(seed):
        torch.manual_seed(seed)
        module = Mixed()
        spec = OptimizerSpec(module, OptimizerConfig(kind=kind, lr=0.1), {"linear": 0.5})
        return module, build_optimizers({"only": spec}, module)["only"]

    module, optimizer = build(0)
    steps(module, optimizer, 0, 3)
    again, continued = build(1)
    again.load_state_dict(module.state_dict())
    continued.load_tensors({name: value.clone() for name, value in optimizer.tensors().items()})
    steps(module, optimizer, 3, 5)
    steps(again, continued, 3, 5)
    for one, other in zip(module.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    stranger = {"only/nothing.weight/step": torch.ones(())}
    with pytest.raises(CheckpointError, match=r"nothing\.weight"):
        continued.load_tensors(stranger)


def test_every_trainable_parameter_has_one_owner():
    module = Mixed()
    spec = OptimizerSpec(module.linear, OptimizerConfig())
    with pytest.raises(ValueError, match=r"gain belongs to 0 optimizers"):
        build_optimizers({"a": spec}, module)
    with pytest.raises(ValueError, match=r"linear.weight belongs to 2 optimizers"):
        build_optimizers({"a": OptimizerSpec(module, OptimizerConfig()), "b": spec}, module)
    with pytest.raises(ValueError, match="owns no parameter"):
        build_optimizers({"a": OptimizerSpec(module.frozen, OptimizerConfig())}, module)


def test_others_are_frozen_only_within_the_turn():
    module = Mixed()
    first = OptimizerSpec(module.linear, OptimizerConfig())
    rest = nn.ModuleList([module.embedding, module.norm])
    module.gain.requires_grad_(False)
    turns = {"a": first, "b": OptimizerSpec(rest, OptimizerConfig())}
    optimizers = build_optimizers(turns, module)
    with optimizers["a"].others_frozen():
        assert module.linear.weight.requires_grad
        assert not module.norm.weight.requires_grad
    assert module.norm.weight.requires_grad
    assert not module.frozen.weight.requires_grad
    assert not module.gain.requires_grad
