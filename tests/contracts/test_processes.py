"""Several processes compute what one does, under either strategy, and none is lost in silence."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latentspeech.core.train.state.checkpoint import newest_checkpoint
from tests.contracts.test_resume import PARTS, assert_same_run, num_lines, wait_for
from tests.ranks import Ranks
from tests.unit.core.train.toy_task import untimed

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "tests" / "contracts" / "process_run.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]

pytestmark = pytest.mark.slow


def words(kind: str, folder: Path, steps: int, every: int = 2, **settings: object) -> list[str]:
    """One run on the command line of process_run.py."""
    values = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    return [kind, str(folder), str(steps), str(every), *values]


def launch(processes: int, *runs: list[str]) -> Ranks:
    """Starts runs that follow each other in the same processes."""
    words = list(itertools.chain(*([*run, "--"] for run in runs)))[:-1]
    return Ranks("tests.contracts.process_run", words, processes)


def start(kind: str, folder: Path, steps: int, every: int, **settings: object) -> Ranks:
    return launch(2, words(kind, folder, steps, every, **settings))


def torchrun(kind: str, folder: Path, steps: int, every: int, **settings: object):
    """Starts a run as users do."""
    return subprocess.Popen(
        [*TORCHRUN, SCRIPT, *words(kind, folder, steps, every, **settings)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: Ranks | subprocess.Popen, code: int = 0) -> str:
    _, err = process.communicate(timeout=150)
    assert process.returncode == code, err[-4000:]
    return err


def train(kind: str, folder: Path, steps: int, processes: int = 2, **settings: object) -> str:
    return finish(launch(processes, words(kind, folder, steps, **settings)))


def assert_same_curve(left: Path, right: Path, rel: float = 1e-4) -> None:
    first, second = untimed(left), untimed(right)
    assert len(first) == len(second) > 0
    for a, b in zip(first, second, strict=True):
        assert b == pytest.approx(a, rel=rel, abs=1e-7)


def tensors(folder: Path, step: int, part: str) -> dict[str, torch.Tensor]:
    return load_file(folder / f"checkpoints/step_{step:08d}/{part}.safetensors")


def test_two_processes_draw_the_curve_of_one(tmp_path: Path):
    """One that accumulates twice, two under DDP and two under FSDP2: dropout and noise included."""
    kinds = {"toy": 8, "tts": 8, "codec": 4, "tokenizer": 4}
    finish(
        launch(
            1,
            *(words(k, tmp_path / f"one-{k}", n, accumulation=2) for k, n in kinds.items()),
        )
    )
    pairs = list(itertools.product(kinds.items(), ("ddp", "fsdp")))
    finish(
        launch(2, *(words(k, tmp_path / f"{way}-{k}", n, strategy=way) for (k, n), way in pairs))
    )
    for (kind, steps), strategy in pairs:
        one, two = tmp_path / f"one-{kind}", tmp_path / f"{strategy}-{kind}"
        assert_same_curve(one, two)
        for part in PARTS:
            first, second = tensors(one, steps, part), tensors(two, steps, part)
            assert first.keys() == second.keys()
            for name in first.keys() - {"model.count", "count"}:
                assert first[name].dtype == second[name].dtype
                torch.testing.assert_close(first[name], second[name], rtol=2e-3, atol=2e-5)


def test_unequal_batches_make_the_mean_over_all_rows(tmp_path: Path):
    """Rows shared out as 4 and 3, over processes or rounds, train as one batch of 7 does."""
    settings = {"num_items": 7, "shuffle": False, "dropout": 0.0, "noise": 0.0}

    def counted(name: str, **more: object) -> list[str]:
        return words("counted", tmp_path / name, 6, **{**settings, "batch_size": 4, **more})

    finish(launch(1, counted("one", batch_size=7), counted("rounds", accumulation=2)))
    finish(launch(2, *(counted(name, strategy=name) for name in ("ddp", "fsdp"))))
    for name in ("rounds", "ddp", "fsdp"):
        assert_same_curve(tmp_path / "one", tmp_path / name, rel=2e-5)
        first, second = tensors(tmp_path / "one", 6, "ema"), tensors(tmp_path / name, 6, "ema")
        for key in first.keys() - {"count"}:
            torch.testing.assert_close(first[key], second[key], rtol=1e-4, atol=1e-6)


def test_strategies_and_savings_go_together(tmp_path: Path):
    """A checkpoint of one strategy goes on under the other; recomputation changes nothing.

    Blocks are recomputed, and logits in chunks of four decisions.
    """
    saving = {"activation_checkpointing": True, "max_logits": 100}
    whole, mixed = tmp_path / "whole", tmp_path / "mixed"
    runs = [
        words("tts", whole, 4),
        words("tts", mixed, 2, accumulation=1),
        words("tts", mixed, 4, strategy="fsdp", **saving),
        words("tts", mixed, 6, strategy="ddp", **saving),
        words("tts", whole, 6),
    ]
    finish(launch(2, *runs))
    ours, theirs = ([line for line in untimed(tmp_path / name) if "train/loss" in line]
                    for name in ("mixed", "whole"))  # fmt: skip
    assert [line["step"] for line in ours] == [1, 2, 3, 4, 5, 6]
    for a, b in zip(ours, theirs, strict=True):
        assert a == pytest.approx(b, rel=1e-4)


def test_bf16_slices_agree_with_whole_ones(tmp_path: Path):
    settings = {"precision": "bf16", "accumulation": 2}
    strategies = ("ddp", "fsdp")
    finish(launch(2, *(words("tts", tmp_path / s, 4, strategy=s, **settings) for s in strategies)))
    assert_same_curve(tmp_path / "ddp", tmp_path / "fsdp", rel=2e-2)
    assert {v.dtype for v in tensors(tmp_path / "fsdp", 4, "ema").values()} == {torch.float32}


def test_muon_is_refused_where_matrices_are_cut(tmp_path: Path):
    process = start("tts", tmp_path / "run", 2, 2, strategy="fsdp", optimizer="muon")
    err = finish(process, code=1)
    assert "ConfigError: optimizer.kind: muon works on whole matrices" in err


@pytest.mark.parametrize(("strategy", "begin"), [("ddp", torchrun), ("fsdp", start)])
def test_killed_on_two_it_goes_on_with_the_same_samples(tmp_path: Path, strategy: str, begin):
    settings = {"strategy": strategy, "sleep_s": 0.03}
    steps = 14
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = begin("toy", killed, steps, 1, items_log=f"{tmp_path}/first_items", **settings)
    wait_for(lambda: num_lines(killed) >= 5, process)
    process.kill()  # the processes of torchrun go with it
    process.communicate(timeout=30)
    reached = newest_checkpoint(killed).state.step
    assert 0 < reached < steps
    runs = ((killed, "later"), (whole, "whole"))
    finish(
        launch(
            2,
            *(
                words("toy", folder, steps, items_log=f"{tmp_path}/{name}_items", **settings)
                for folder, name in runs
            ),
        )
    )
    for rank in (0, 1):
        name = f"_items.{rank}"
        everything = (tmp_path / f"whole{name}").read_text().splitlines()
        later = (tmp_path / f"later{name}").read_text().splitlines()
        assert later == everything[reached:]
    assert_same_run(whole, killed, steps)


def killed_rank(folder: Path, rank: int, number: signal.Signals) -> None:
    os.kill(int(Path(f"{folder}.pid.{rank}").read_text()), number)


def test_a_killed_process_is_named_and_the_checkpoint_survives(tmp_path: Path):
    folder = tmp_path / "run"
    process = start("toy", folder, 2000, 2, sleep_s=0.02)
    wait_for(lambda: num_lines(folder) >= 6, process)
    killed_rank(folder, 1, signal.SIGKILL)
    err = finish(process, code=1)
    assert "rank 0, PeerError: process of rank 1 stopped: (host" in err
    assert "start the same command again" in err
    found = newest_checkpoint(folder)
    assert found.state.step >= 4
    train("toy", folder, found.state.step + 3, sleep_s=0.0)


def test_the_error_of_one_process_reaches_all(tmp_path: Path):
    folder = tmp_path / "run"
    settings = {"shuffle": False, "broken_item": 22}  # in the third batch of rank 1
    err = finish(start("toy", folder, 2000, 1, **settings), code=1)
    assert "rank 1, DataError: item 22 is corrupt" in err
    assert "rank 0, PeerError: process of rank 1 stopped: DataError: item 22 is corrupt" in err
    assert newest_checkpoint(folder).state.step == 2


def test_a_full_disk_reaches_all_and_keeps_the_last_checkpoint(tmp_path: Path):
    """The largest file that the system allows stands for the end of the disk: same errors."""
    folder = tmp_path / "run"
    train("tts", folder, 2)
    sizes = [item.stat().st_size for item in (folder / "checkpoints/step_00000002").iterdir()]
    process = start("tts", folder, 2000, 2, file_limit_bytes=max(sizes) - 100)
    err = finish(process, code=1)
    assert "rank 0, InputError: no space left on the disk for" in err
    assert "rank 1, PeerError: process of rank 0 stopped: InputError: no space left" in err
    assert [item.name for item in (folder / "checkpoints").iterdir()] == ["step_00000002"]
    finish(launch(2, words("tts", folder, 4), words("tts", tmp_path / "whole", 4)))
    first, second = (tensors(f, 4, "model") for f in (folder, tmp_path / "whole"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_process_that_hangs_is_named(tmp_path: Path):
    """The other waits in an exchange that never ends; the watch ends it."""
    folder = tmp_path / "run"
    process = start("toy", folder, 2000, 2, sleep_s=0.02, peer_timeout_s=5)
    wait_for(lambda: num_lines(folder) >= 6, process)
    killed_rank(folder, 1, signal.SIGSTOP)
    limit = time.monotonic() + 60
    pid = int(Path(f"{folder}.pid.0").read_text())
    while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
        assert time.monotonic() < limit, "rank 0 still waits"
        time.sleep(0.1)
    killed_rank(folder, 1, signal.SIGKILL)
    err = finish(process, code=1)
    assert "process of rank 1 stopped: (host" in err
    assert "gave no sign of life for" in err


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
