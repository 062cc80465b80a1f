"""Adapters: what they freeze, how many parameters they are, and that merging changes nothing."""

import pytest
import torch

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.lora import LoRAConfig, adapted_layers, adapters, add_lora, merge_lora
from latentspeech.core.lm.loss import latent_lm_loss
from latentspeech.core.lm.mixed_batch import MixedBatch, collate
from latentspeech.core.lm.mixed_sequence import LatentSpan, TokenSpan
from latentspeech.core.tensors import make_generator
from latentspeech.tts.model import SPEECH, latent_lm_config
from tests.tiny_models import MODEL

RANK = 3


def make_model() -> LatentLM:
    torch.manual_seed(0)
    model = LatentLM(latent_lm_config(MODEL, 20, 4))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


def make_batch() -> MixedBatch:
    generator = torch.Generator().manual_seed(1)
    spans = [
        TokenSpan(torch.tensor([3, 4, 5, 20]), False),
        LatentSpan(SPEECH, torch.randn(6, 4, generator=generator), True),
        TokenSpan(torch.tensor([21]), True),
    ]
    return collate([spans, spans[:2]], (4,))


def take_steps(model: LatentLM, count: int) -> None:
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2)
    for step in range(count):
        optimizer.zero_grad()
        latent_lm_loss(model, make_batch(), make_generator(0, "test", step)).total.backward()
        optimizer.step()


@pytest.mark.parametrize("head", [False, True])
def test_merged_equals_unmerged_and_the_base_stays(head: bool) -> None:
    model = make_model()
    start = {name: value.clone() for name, value in model.state_dict().items()}
    before = model(make_batch())
    add_lora(model, LoRAConfig(rank=RANK, alpha=6.0, head=head))
    assert torch.equal(model(make_batch()), before)  # B is zero

    take_steps(model, 5)
    frozen = {
        name.replace(".base_layer", ""): value
        for name, value in model.state_dict().items()
        if "lora_" not in name
    }
    assert frozen.keys() == start.keys()
    assert all(torch.equal(frozen[name], start[name]) for name in start)

    unmerged = model(make_batch())
    assert (unmerged - before).abs().max() > 1e-3
    loss = latent_lm_loss(model, make_batch(), make_generator(0, "loss")).total
    merge_lora(model)
    assert model.state_dict().keys() == start.keys()
    torch.testing.assert_close(model(make_batch()), unmerged, rtol=0, atol=1e-5)
    merged = latent_lm_loss(model, make_batch(), make_generator(0, "loss")).total
    torch.testing.assert_close(merged, loss, rtol=0, atol=1e-5)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_only_adapters_learn_and_are_averaged() -> None:
    model = make_model()
    config = model.config.backbone
    names = adapted_layers(model, LoRAConfig())
    assert len(names) == 4 * config.num_layers  # qkv, out and the two of a GELU network
    sizes = [sum(model.get_submodule(name).weight.shape) for name in names]
    add_lora(model, LoRAConfig(rank=RANK))
    learning = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert sum(p.numel() for p in learning.values()) == RANK * sum(sizes)
    assert all("lora_" in name for name in learning)
    chosen = dict(adapters(model).named_parameters())
    assert chosen.keys() == learning.keys()
    assert all(chosen[name] is learning[name] for name in chosen)
    assert adapters(model).state_dict().keys() == learning.keys()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"feed_forward": False}, {"qkv", "out"}),
        ({"attention": False}, {"up", "down"}),
        (
            {"attention": False, "feed_forward": False, "head": True},
            {"projection", "gate_up", "down"},
        ),
    ],
)
def test_layers_are_chosen(settings: dict[str, bool], expected: set[str]) -> None:
    names = adapted_layers(make_model(), LoRAConfig(**settings))
    assert {name.rpartition(".")[2] for name in names} == expected
    assert any(name.startswith("diffusions.") for name in names) == ("head" in settings)


def test_no_layer_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="adapts no layer"):
        add_lora(make_model(), LoRAConfig(attention=False, feed_forward=False))
