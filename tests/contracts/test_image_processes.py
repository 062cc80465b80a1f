"""Two processes train generators, models of pages and a classifier of images as one does."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from latentvision.eval.classifier import load_classifier
from tests import tiny_page_models
from tests.contracts.test_processes import assert_same_curve, tensors
from tests.contracts.test_resume import PARTS
from tests.tiny_classifier import classifier_run
from tests.tiny_generators import KINDS
from tests.tiny_image_runs import tiny_run

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "tests" / "contracts" / "image_process_run.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
STEPS = 4
# A rank of a model of pages may have text alone while another has pictures.
ALL_KINDS = (*KINDS, *(f"pages-{kind}" for kind in tiny_page_models.KINDS))


def train(
    folder: Path, name: str, processes: int, strategy: str, kinds: Sequence[str] = ALL_KINDS
) -> None:
    command = [sys.executable] if processes == 1 else TORCHRUN
    accumulation = 2 // processes
    result = subprocess.run(
        [*command, SCRIPT, str(folder), name, str(STEPS), str(accumulation), strategy, *kinds],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-4000:]


@pytest.mark.slow
def test_two_processes_draw_the_curve_of_one(tmp_path: Path) -> None:
    torch.manual_seed(0)  # the weights of the tokenizers, whatever tests ran before
    for kind in ("lm", "vq"):
        tiny_run(tmp_path, kind)  # makes tokenizers and latents, before several processes do
    (tmp_path / "pages").mkdir()
    for kind in ("latent_lm", "vq"):
        tiny_page_models.tiny_run(tmp_path / "pages", kind)
    train(tmp_path, "one", 1, "ddp")
    for strategy in ("ddp", "fsdp"):
        train(tmp_path, strategy, 2, strategy)
        for kind in ALL_KINDS:
            one, two = tmp_path / f"one-{kind}", tmp_path / f"{strategy}-{kind}"
            assert_same_curve(one, two)
            for part in PARTS:
                first, second = tensors(one, STEPS, part), tensors(two, STEPS, part)
                assert first.keys() == second.keys()
                for name in first:
                    torch.testing.assert_close(first[name], second[name], rtol=2e-3, atol=2e-5)


@pytest.mark.slow
def test_two_processes_train_the_classifier_of_one(tmp_path: Path) -> None:
    classifier_run(tmp_path)  # makes the pictures
    for name, processes in (("one", 1), ("two", 2)):
        train(tmp_path, name, processes, "ddp", ["classifier"])
    one, two = (tmp_path / f"{name}-classifier" for name in ("one", "two"))
    assert_same_curve(one, two)
    models = [load_classifier(exp_dir / "model") for exp_dir in (one, two)]  # written once each
    assert models[0].config == models[1].config
    states = [model.network.state_dict() for model in models]
    for name, tensor in states[0].items():
        torch.testing.assert_close(tensor, states[1][name], rtol=2e-3, atol=2e-5)
