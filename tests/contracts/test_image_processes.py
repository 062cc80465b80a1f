"""Two processes train generators, models of pages and a classifier of images as one does."""

from pathlib import Path

import pytest
import torch

from latentvision.eval.classifier import load_classifier
from tests import tiny_page_models
from tests.contracts.test_processes import assert_same_curve, finish, tensors
from tests.contracts.test_resume import PARTS
from tests.ranks import Ranks
from tests.tiny_classifier import classifier_run
from tests.tiny_generators import KINDS
from tests.tiny_image_runs import tiny_run

STEPS = 4
# A rank of a model of pages may have text alone while another has pictures.
ALL_KINDS = (*KINDS, *(f"pages-{kind}" for kind in tiny_page_models.KINDS))

pytestmark = pytest.mark.slow


def train(processes: int, *runs: list[str]) -> None:
    """Trains the kinds of runs (folder, name, strategy, kind, kind ...), one after the other."""
    words: list[str] = []
    for folder, name, strategy, *kinds in runs:
        words += ["--", folder, name, str(STEPS), str(2 // processes), strategy, *kinds]
    finish(Ranks("tests.contracts.image_process_run", words[1:], processes))


def test_two_processes_draw_the_curve_of_one(tmp_path: Path) -> None:
    torch.manual_seed(0)  # the weights of the tokenizers, whatever tests ran before
    for kind in ("lm", "vq"):
        tiny_run(tmp_path, kind)  # makes tokenizers and latents, before several processes do
    (tmp_path / "pages").mkdir()
    for kind in ("latent_lm", "vq"):
        tiny_page_models.tiny_run(tmp_path / "pages", kind)
    folder = str(tmp_path)
    train(1, [folder, "one", "ddp", *ALL_KINDS])
    train(2, *([folder, strategy, strategy, *ALL_KINDS] for strategy in ("ddp", "fsdp")))
    for strategy in ("ddp", "fsdp"):
        for kind in ALL_KINDS:
            one, two = tmp_path / f"one-{kind}", tmp_path / f"{strategy}-{kind}"
            assert_same_curve(one, two)
            for part in PARTS:
                first, second = tensors(one, STEPS, part), tensors(two, STEPS, part)
                assert first.keys() == second.keys()
                for name in first:
                    torch.testing.assert_close(first[name], second[name], rtol=2e-3, atol=2e-5)


def test_two_processes_train_the_classifier_of_one(tmp_path: Path) -> None:
    classifier_run(tmp_path)  # makes the pictures
    for name, processes in (("one", 1), ("two", 2)):
        train(processes, [str(tmp_path), name, "ddp", "classifier"])
    one, two = (tmp_path / f"{name}-classifier" for name in ("one", "two"))
    assert_same_curve(one, two)
    models = [load_classifier(exp_dir / "model") for exp_dir in (one, two)]  # written once each
    assert models[0].config == models[1].config
    states = [model.network.state_dict() for model in models]
    for name, tensor in states[0].items():
        torch.testing.assert_close(tensor, states[1][name], rtol=2e-3, atol=2e-5)
