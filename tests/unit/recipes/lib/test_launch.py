"""The launch scripts, as they stand, start two machines that are both this one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from latentspeech.core.train.state.checkpoint import newest_checkpoint
from tests.unit.core.train.toy_task import ToyData, run, untimed
from tests.unit.recipes.shell import ROOT

LAUNCH = ROOT / "recipes" / "launch"
TOY = [str(ROOT / "tests/contracts/process_run.py"), "toy"]
SETTINGS = ["4", "2", "num_nodes=2", "devices=0"]
SLOW = pytest.mark.slow

# Starts its command once for each node and fails if one of them does, as srun does.
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
pids=()
for ((node = 0; node < SLURM_JOB_NUM_NODES; node++)); do
  SLURM_NODEID=$node SLURM_PROCID=$node "$@" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || exit 1; done
"""
SCONTROL = """#!/usr/bin/env bash
[[ "$*" == "show hostnames here[0-1]" ]] && printf 'localhost\\nlocalhost\\n'
"""


def free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            port: int = probe.getsockname()[1]
        if 20_000 <= port < 60_000:
            return port


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "OMP_NUM_THREADS": "1", **more}


def assert_trained_by_two(folder: Path, tmp_path: Path) -> None:
    state = newest_checkpoint(folder).state
    assert (state.step, state.world_size) == (4, 2)
    run(tmp_path / "alone", 4, accumulation=2, validate_data=ToyData(num_items=20))
    for one, other in zip(untimed(tmp_path / "alone"), untimed(folder), strict=True):
        assert other == pytest.approx(one, rel=1e-4)


@SLOW
def test_the_same_line_on_two_machines(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = ["--nnodes", "2", "--nproc", "1", "--master", f"localhost:{free_port()}"]
    command = ["bash", str(LAUNCH / "multi_node.sh"), *options, "--id", "test", "--"]
    machines = [
        subprocess.Popen(
            [*command, *TOY, str(folder), *SETTINGS],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [machine.communicate(timeout=180) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], outputs[0][1] + outputs[1][1]
    assert_trained_by_two(folder, tmp_path)


@SLOW
def test_a_slurm_job_of_two_machines(tmp_path: Path) -> None:
    """The script is the real one; srun and scontrol are two lines that do what they would."""
    for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    job = {
        "SLURM_JOB_ID": str(free_port() - 20_000),
        "SLURM_JOB_NODELIST": "here[0-1]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_SUBMIT_DIR": str(ROOT),
        "NPROC": "1",
    }
    env = environment(**job)
    env["PATH"] = f"{tmp_path}{os.pathsep}{env['PATH']}"
    result = subprocess.run(
        ["bash", str(LAUNCH / "slurm.sh"), *TOY, str(tmp_path / "run"), *SETTINGS],
        env=env,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert_trained_by_two(tmp_path / "run", tmp_path)


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("multi_node.sh", ["--nnodes", "2", "--", "x.py"], "error: --nproc is missing"),
        ("multi_node.sh", ["--nodes", "2"], "error: unknown option --nodes"),
        ("multi_node.sh", ["--nnodes", "2", "--nproc", "1"], "error: nothing to start"),
        ("slurm.sh", [], "error: nothing to start"),
        ("slurm.sh", ["x.py"], "not a Slurm job; submit it with sbatch"),
    ],
)
def test_what_is_missing_is_said(script: str, arguments: list[str], message: str) -> None:
    result = subprocess.run(
        ["bash", str(LAUNCH / script), *arguments],
        env={key: value for key, value in os.environ.items() if not key.startswith("SLURM")},
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    assert message in result.stderr


def test_help_shows_the_line_to_start() -> None:
    result = subprocess.run(
        ["bash", str(LAUNCH / "multi_node.sh"), "--help"], capture_output=True, text=True
    )
    assert result.returncode == 0
    assert "--nnodes 2 --nproc 8 --master node0:29500" in result.stdout
