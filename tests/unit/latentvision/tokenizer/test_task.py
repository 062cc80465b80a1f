"""The training task that all tokenizers share: turns, losses, resume."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError
from latentspeech.core.tensors import make_generator
from latentspeech.core.train.engine import TrainConfig, train
from latentspeech.core.train.optim import OptimizerConfig, build_optimizers
from latentspeech.core.train.seeding import seed_initialization
from latentspeech.core.train.state.checkpoint import load_part, newest_checkpoint
from latentvision.tokenizer.discriminator import PatchDiscriminatorConfig
from latentvision.tokenizer.task import (
    TokenizerLossConfig,
    TokenizerOptimConfig,
    TokenizerTask,
    TokenizerTaskConfig,
)
from tests.tiny_tokenizer import POSTERIORS, random_images, tiny_config

JUDGE = PatchDiscriminatorConfig(channels=4, num_layers=2)


class Images:
    """Batches of four of 24 images."""

    def num_windows(self) -> int:
        return 1

    def plan(self, epoch: int, window: int) -> Sequence[Sequence[int]]:
        order = torch.randperm(24, generator=make_generator(0, "order", epoch))
        return [part.tolist() for part in torch.split(order, 4)]

    def load(self, items: Sequence[int], seed: int) -> Tensor:
        return random_images(24)[list(items)]


def config(kind: str = "per_example", start: int | None = None, **loss) -> TokenizerTaskConfig:
    rate = OptimizerConfig(lr=2e-3, betas=(0.0, 0.99))
    return TokenizerTaskConfig(
        tokenizer=tiny_config(kind),
        loss=TokenizerLossConfig(discriminator_start_step=start, discriminator=JUDGE, **loss),
        optim=TokenizerOptimConfig(tokenizer=rate, discriminator=rate),
    )


def make_task(settings: TokenizerTaskConfig) -> TokenizerTask:
    seed_initialization(0)
    return TokenizerTask(settings)


def fit(settings: TokenizerTaskConfig, folder: Path, steps: int) -> TokenizerTask:
    task = make_task(settings)
    run = TrainConfig(max_steps=steps, log_every=1, ema_decay=0.9)
    train(task, Images(), None, run, folder, run_config={})
    return task


@pytest.mark.parametrize("kind", list(POSTERIORS))
def test_every_kind_learns_to_copy(kind: str, tmp_path: Path) -> None:
    settings = config(kind)
    before = make_task(settings)
    after = fit(settings, tmp_path, 60)
    with torch.no_grad():
        scores = [
            task.eval().validation_step(random_images(24), make_generator(0, "valid"))
            for task in (before, after)
        ]
    assert float(scores[1]["valid/pixels_l2"]) < 0.5 * float(scores[0]["valid/pixels_l2"])
    assert float(scores[1]["valid/psnr_db"]) > float(scores[0]["valid/psnr_db"]) + 2
    watched = "code_perplexity" if kind == "vq" else "log_std_mu_over_sigma"
    assert f"valid/{watched}" in scores[1]


def test_the_sum_of_the_parts() -> None:
    task = make_task(config(pixels="l1", pixel_weight=2.0))
    losses = task.training_step(random_images(4), "generator", 0, make_generator(0, "noise"))
    metrics = losses.metrics
    expected = 2 * metrics["train/pixels_l1"] + metrics["train/regularizer"]
    assert losses.total.item() == pytest.approx(float(expected), rel=1e-6)


def test_the_discriminator_comes_late_and_goes_first() -> None:
    task = make_task(config(start=3))
    assert task.turns(2) == ("generator",)
    assert task.turns(3) == ("discriminator", "generator")
    noise = make_generator(0, "noise")
    early = task.training_step(random_images(4), "generator", 2, noise).metrics
    assert "train/adversarial" not in early
    losses = task.training_step(random_images(4), "generator", 3, make_generator(0, "noise"))
    metrics = losses.metrics
    weighted = 0.5 * metrics["train/adversarial_weight"] * metrics["train/adversarial"]
    expected = metrics["train/pixels_l2"] + metrics["train/regularizer"] + weighted
    assert losses.total.item() == pytest.approx(float(expected), rel=1e-5)


def test_a_turn_s_gradient_reaches_its_own_network() -> None:
    task = make_task(config(start=0))
    optimizers = build_optimizers(task.optimizer_specs(), task)
    for turn, own in (("discriminator", "discriminator."), ("generator", "tokenizer.")):
        with optimizers[turn].others_frozen():
            noise = make_generator(0, "noise")
            task.training_step(random_images(4), turn, 0, noise).total.backward()
            reached = {name for name, p in task.named_parameters() if p.grad is not None}
        assert reached
        assert all(name.startswith(own) for name in reached)
        optimizers[turn].zero_grad()


def test_the_adversarial_run_resumes_bit_for_bit(tmp_path: Path) -> None:
    settings = config(start=2)
    fit(settings, tmp_path / "whole", 6)
    for steps in (3, 6):
        fit(settings, tmp_path / "parts", steps)
    found = [newest_checkpoint(tmp_path / name) for name in ("whole", "parts")]
    for part in ("model", "ema", "optimizer"):
        one, other = (load_part(point.path, part) for point in found if point is not None)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_encoder_s_rate_falls_towards_the_pixels() -> None:
    settings = config().model_copy(update={"optim": TokenizerOptimConfig(encoder_layer_decay=0.5)})
    task = make_task(settings)
    factors = task.optimizer_specs()["generator"].lr_factors
    assert factors == {
        "encoder.embedding": 0.125,
        "encoder.vit.layers.0": 0.25,
        "encoder.vit.layers.1": 0.5,
    }
    build_optimizers(task.optimizer_specs(), task)  # every name belongs to a parameter


def test_images_too_small_for_the_discriminator_are_refused() -> None:
    values = config().model_dump()
    values["loss"] |= {"discriminator_start_step": 0, "discriminator": {"num_layers": 3}}
    with pytest.raises(ConfigError, match="no logit on images of 16"):
        parse_config(TokenizerTaskConfig, values)
