"""A run that was stopped, however, and resumed equals one that was not, bit for bit."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.ranks import Ranks
from tests.unit.core.train.toy_task import ToyData, ToyTask, run, untimed

PARTS = ("model", "ema", "optimizer")


def assert_same_run(left: Path, right: Path, step: int) -> None:
    name = f"checkpoints/step_{step:08d}"
    for part in PARTS:
        first = load_file(left / name / f"{part}.safetensors")
        second = load_file(right / name / f"{part}.safetensors")
        assert first.keys() == second.keys()
        for key in first:
            assert torch.equal(first[key], second[key]), (part, key)
    states = [json.loads((f / name / "state.json").read_text()) for f in (left, right)]
    assert states[0]["epoch"] == states[1]["epoch"]
    assert states[0]["index"] == states[1]["index"]
    assert untimed(left) == untimed(right)


def start(folder: Path, steps: int, every: int, sleep_s: float, *extra: str) -> Ranks:
    words = [str(folder), str(steps), str(every), str(sleep_s), *extra]
    return Ranks("tests.unit.core.train.toy_task", words, 1)


def wait_for(condition, process: Ranks | subprocess.Popen, timeout_s: float = 60.0) -> None:
    limit = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "the run made no progress"
        time.sleep(0.002)


def num_lines(folder: Path) -> int:
    path = folder / "metrics.jsonl"
    return path.read_text().count("\n") if path.is_file() else 0


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("accumulation", [1, 3])
def test_two_steps_and_two_more_equal_four(tmp_path: Path, num_workers: int, accumulation: int):
    settings = {"num_workers": num_workers, "accumulation": accumulation}
    whole, halves = ToyData(), ToyData()
    run(tmp_path / "a", 4, data=whole, **settings)
    run(tmp_path / "b", 2, data=halves, **settings)
    torch.manual_seed(123)  # the state of the global generator must not matter
    run(tmp_path / "b", 4, task=ToyTask(seed=99), data=halves, **settings)
    if num_workers == 0:
        assert halves.loaded == whole.loaded
    # The stop at two made one validation more.
    lines = untimed(tmp_path / "b")
    extra = [line for line in lines if line["step"] == 2 and "valid/l2" in line]
    assert len(extra) == 1
    lines.remove(extra[0])
    (tmp_path / "b" / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    assert_same_run(tmp_path / "a", tmp_path / "b", step=4)


def test_resume_across_epochs(tmp_path: Path):
    whole, parts = ToyData(num_items=9, batch_size=3), ToyData(num_items=9, batch_size=3)
    run(tmp_path / "a", 8, data=whole)
    for steps in (3, 5, 8):
        run(tmp_path / "b", steps, data=parts)
    assert parts.loaded == whole.loaded
    first = load_file(tmp_path / "a/checkpoints/step_00000008/model.safetensors")
    second = load_file(tmp_path / "b/checkpoints/step_00000008/model.safetensors")
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.slow
def test_kill_at_any_moment_and_resume_equals_uninterrupted(tmp_path: Path):
    """SIGKILL three times, at moments drawn at random, with loader processes and a log."""
    steps, moments = 30, random.Random(0)
    run(tmp_path / "whole", steps, checkpoint_every=1)
    killed = tmp_path / "killed"
    for round_ in range(3):
        process = start(killed, steps, 1, 0.02, f"num_workers={round_ % 2}")
        reached = num_lines(killed)
        wait_for(lambda: num_lines(killed) >= reached + 4, process)  # noqa: B023
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL
    assert num_lines(killed) < steps
    run(killed, steps, checkpoint_every=1)
    assert_same_run(tmp_path / "whole", killed, steps)
    assert not list(killed.rglob(".tmp-*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_finishes_the_step_and_checkpoints(tmp_path: Path, number: signal.Signals):
    process = start(tmp_path / "run", 1000, 1000, 0.05, "num_workers=1")
    wait_for(lambda: num_lines(tmp_path / "run") >= 2, process)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert said.endswith("signal\n")
    assert f"by {number.name}, checkpoint written" in said
    assert "Traceback" not in said
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    last = json.loads((checkpoint / "state.json").read_text())["step"]
    run(tmp_path / "run", last + 2, checkpoint_every=1)
    run(tmp_path / "whole", last + 2, checkpoint_every=1)
    name = f"checkpoints/step_{last + 2:08d}/model.safetensors"
    first, second = load_file(tmp_path / "run" / name), load_file(tmp_path / "whole" / name)
    assert all(torch.equal(first[key], second[key]) for key in first)
