"""The plan of ImageNet is counted again from the configurations, and the README holds it."""

import importlib

import pytest
import torch
from torch import nn

from latentspeech.core.config import load_config
from latentvision.generation.dit import DiT
from latentvision.generation.image_lm import IMAGE, ImageLM, ImageLMConfig
from latentvision.generation.presets import dit_preset, imagenet_space
from latentvision.tokenizer.model import Tokenizer
from latentvision.training.generator_run import GeneratorRunConfig
from latentvision.training.tokenizer_run import TokenizerRunConfig
from tests.unit.recipes.shell import ROOT

CONF = ROOT / "egs/imagenet/conf"
plan = importlib.import_module("egs.imagenet.local.plan")


def linear_parameters(module: nn.Module) -> int:
    return sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Linear))


@pytest.mark.parametrize("name", sorted(plan.GENERATORS))
def test_sizes_and_settings_of_a_generator(name: str) -> None:
    run = load_config(GeneratorRunConfig, CONF / f"lm_{name}.yaml")
    size = plan.GENERATORS[name]
    assert run.train.max_steps == size.steps
    assert 8 * run.train.accumulation * run.data.batch_size == size.batch
    assert isinstance(run.model, ImageLMConfig)
    with torch.device("meta"):
        model = ImageLM(imagenet_space(), run.model)
    backbone, head = plan.matrices(size, "lm")
    assert linear_parameters(model.lm.backbone) == pytest.approx(backbone, rel=0.01)
    # The projections of condition and time are computed once for all draws.
    network = model.lm.diffusion(IMAGE).head
    assert linear_parameters(network) == pytest.approx(head, rel=0.05)


def test_the_twins_size() -> None:
    with torch.device("meta"):
        model = DiT(imagenet_space(), dit_preset("xl"))
    backbone, _ = plan.matrices(plan.GENERATORS["xl"], "dit")
    assert 1 < linear_parameters(model) / backbone < 1.6  # six-way modulation is once an image


def test_the_tokenizers_size_and_settings() -> None:
    run = load_config(TokenizerRunConfig, CONF / "tokenizer.yaml")
    assert run.train.max_steps == plan.TOKENIZER_STEPS
    assert 8 * run.data.batch_size == plan.TOKENIZER_BATCH
    with torch.device("meta"):
        model = Tokenizer(run.tokenizer)
    assert linear_parameters(model) == pytest.approx(2 * plan.SIDE, rel=0.02)


def test_the_readme_holds_the_tables() -> None:
    readme = (ROOT / "egs/imagenet/README.md").read_text(encoding="utf-8")
    assert plan.stage_table("l", "lm", 256) in readme
    assert plan.size_table() in readme
