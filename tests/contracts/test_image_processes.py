"""Two processes train every generator of images as one does, under either strategy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.contracts.test_processes import assert_same_curve, tensors
from tests.contracts.test_resume import PARTS
from tests.tiny_generators import KINDS
from tests.tiny_image_runs import tiny_run

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "tests" / "contracts" / "image_process_run.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
STEPS = 4


def train(folder: Path, name: str, processes: int, strategy: str) -> None:
    command = [sys.executable] if processes == 1 else TORCHRUN
    accumulation = 2 // processes
    result = subprocess.run(
        [*command, SCRIPT, str(folder), name, str(STEPS), str(accumulation), strategy, *KINDS],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-4000:]


@pytest.mark.slow
def test_two_processes_draw_the_curve_of_one(tmp_path: Path) -> None:
    for kind in ("lm", "vq"):
        tiny_run(tmp_path, kind)  # makes tokenizers and latents, before several processes do
    train(tmp_path, "one", 1, "ddp")
    for strategy in ("ddp", "fsdp"):
        train(tmp_path, strategy, 2, strategy)
        for kind in KINDS:
            one, two = tmp_path / f"one-{kind}", tmp_path / f"{strategy}-{kind}"
            assert_same_curve(one, two)
            for part in PARTS:
                first, second = tensors(one, STEPS, part), tensors(two, STEPS, part)
                assert first.keys() == second.keys()
                for name in first:
                    torch.testing.assert_close(first[name], second[name], rtol=2e-3, atol=2e-5)
