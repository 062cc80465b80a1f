"""The stage runner on a toy task of three stages, in a folder that is not of this project."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.recipes.shell import ROOT, run_bash

RUN = """
egs_dir=$base
recipe_title="toy"
recipe_command="toy run"
source "$base/toy/options.sh"
add_toy_options
parse_options "$@"
settle_run_options
run_stages
"""

OPTIONS = """
source recipes/lib/stages.sh
stage_dir=$base/toy
add_toy_options() {
  add_run_options
  add_training_options 0
  add_path data_dir "" "folder of the pictures"
  add_path model_config "$base/a.yaml" "YAML of the model"
  add_option seed 0 "of the pictures"
}
"""

STAGES = {
    "01_first.sh": (
        "--seed",
        "$data_dir/one",
        'echo ran1 >>"$data_dir/log"; echo "$seed" >"$data_dir/one"',
    ),
    "02_second.sh": (
        "$data_dir/one, --model_config",
        "$exp_dir/run/checkpoints",
        'cd "$exp_dir"; echo ran2 >>"$data_dir/log"; mkdir -p run/checkpoints; echo 1 >run/x',
    ),
    "09_third.sh": (
        "$exp_dir/run/checkpoints",
        "$exp_dir/three",
        'echo ran3 >>"$data_dir/log"; touch "$exp_dir/three"',
    ),
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    task = tmp_path / "toy"
    task.mkdir()
    (task / "options.sh").write_text(OPTIONS)
    for name, (reads, writes, body) in STAGES.items():
        head = f"# Purpose: do {name}\n# Reads:   {reads}\n# Writes:  {writes}\n# Cost: 1 s\n"
        (task / name).write_text(f"{head}set -euo pipefail\n{body}\n")
    (tmp_path / "a.yaml").write_text("a: 1\n")
    return tmp_path


def run(base: Path, *arguments: str) -> tuple[int, str, list[str]]:
    """Exit code, stderr and which stages ran."""
    log = base / "exp/full/data/log"
    before = log.read_text().split() if log.exists() else []
    result = run_bash(RUN, *arguments, base=str(base))
    after = log.read_text().split() if log.exists() else []
    return result.returncode, result.stderr, after[len(before) :]


def test_all_stages_run_once_then_none(base: Path) -> None:
    code, stderr, ran = run(base)
    assert (code, ran) == (0, ["ran1", "ran2", "ran3"]), stderr
    code, stderr, ran = run(base)
    assert (code, ran) == (0, [])
    assert stderr.count("done before") == 3
    done = json.loads((base / "exp/full/stages/02_second/done.json").read_text())
    assert set(done) == {"command", "commit", "config_hash", "inputs", "seconds"}
    assert done["command"] == "toy run"


def test_help_lists_the_stages_and_the_options(base: Path) -> None:
    result = run_bash(RUN, "--help", base=str(base))
    assert result.returncode == 0
    for line in (
        "  2  do 02_second.sh",
        "       reads   $data_dir/one, --model_config",
        "       writes  $exp_dir/run/checkpoints",
        "       costs   1 s",
    ):
        assert line in result.stdout.splitlines()
    assert "last stage to run [9]" in result.stdout
    assert "--model_config" in result.stdout
    for of_speech in ("codec", "tts", "token"):
        assert of_speech not in result.stdout.lower()


def test_an_unknown_option_is_named_with_the_nearest(base: Path) -> None:
    code, stderr, ran = run(base, "--modelconfig", "x")
    assert (code, ran) == (2, [])
    assert stderr == "error: unknown option '--modelconfig'; did you mean --model_config?\n"


def test_the_result_of_the_last_stage_is_shown_by_the_task(base: Path) -> None:
    hook = 'show_results() { echo "three is $(ls $exp_dir/three)"; }\nrun_stages'
    script = RUN.replace("run_stages", hook)
    assert run_bash(script, "--stop_stage", "2", base=str(base)).stdout == ""
    assert run_bash(script, base=str(base)).stdout == f"three is {base}/exp/full/three\n"


def test_a_machine_that_cannot_run_the_task_is_refused(base: Path) -> None:
    hook = 'check_machine() { echo "error: no GPU" >&2; return 1; }\nrun_stages'
    result = run_bash(RUN.replace("run_stages", hook), base=str(base))
    assert (result.returncode, result.stderr) == (2, "error: no GPU\n")
    assert not (base / "exp").exists()


@pytest.mark.slow
def test_a_stage_whose_header_says_all_nodes_runs_on_each(base: Path) -> None:
    """Node 1 runs the shared stage alone, once node 0 has said whether it must run."""
    stage = base / "toy/01_first.sh"
    stage.write_text(stage.read_text().replace("# Cost:", "# Nodes: all\n# Cost:"))
    for name in ("02_second.sh", "09_third.sh"):
        (base / "toy" / name).unlink()
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1] - 1
    nodes = ["--nnodes", "2", "--rdzv_endpoint", f"localhost:{port}"]
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(run_bash, RUN, *nodes, "--node_rank", rank, base=str(base)) for rank in "01"
        ]
    assert [one.result().returncode for one in both] == [0, 0], both[0].result().stderr
    assert (base / "exp/full/data/log").read_text().split() == ["ran1", "ran1"]


def test_stage_and_stop_stage_choose_a_range(base: Path) -> None:
    assert run(base, "--stop_stage", "1")[2] == ["ran1"]
    assert run(base, "--stage", "2", "--stop-stage=2")[2] == ["ran2"]
    assert run(base, "--stage", "3")[2] == ["ran3"]


def test_a_missing_input_names_the_stage_that_makes_it(base: Path) -> None:
    code, stderr, ran = run(base, "--stage", "2")
    assert (code, ran) == (2, [])
    assert "which does not exist; stage 1 makes it: --stage 1" in stderr


def test_a_changed_setting_runs_its_stage_again(base: Path) -> None:
    run(base)
    (base / "b.yaml").write_text("a: 2\n")
    _, stderr, ran = run(base, "--model_config", str(base / "b.yaml"))
    assert ran == ["ran2"], stderr
    assert not list((base / "exp/full").glob("run.*"))  # the training decides what it accepts


@pytest.mark.slow
def test_changed_data_sets_the_old_training_aside(base: Path) -> None:
    run(base)
    _, _, ran = run(base, "--seed", "5")
    assert ran == ["ran1", "ran2"]
    assert len(list((base / "exp/full").glob("run.*/x"))) == 1


@pytest.mark.slow
def test_a_lost_output_is_made_again(base: Path) -> None:
    run(base)
    (base / "exp/full/three").unlink()
    assert run(base)[2] == ["ran3"]


@pytest.mark.slow
def test_force_runs_what_is_done(base: Path) -> None:
    run(base)
    assert run(base, "--force", "--stage", "2")[2] == ["ran2", "ran3"]
    assert len(list((base / "exp/full").glob("run.*/x"))) == 1


def test_a_failing_stage_ends_the_run_and_is_not_done(base: Path) -> None:
    stage = base / "toy/02_second.sh"
    good = stage.read_text()
    stage.write_text(good + "exit 7\n")
    code, stderr, ran = run(base)
    assert (code, ran) == (7, ["ran1", "ran2"])
    assert "stage 02_second ended with code 7" in stderr
    stage.write_text(good)
    assert run(base)[2] == ["ran2", "ran3"]


def test_a_stage_that_writes_nothing_is_not_done(base: Path) -> None:
    stage = base / "toy/09_third.sh"
    stage.write_text(stage.read_text().replace('touch "$exp_dir/three"', ""))
    code, stderr, _ = run(base)
    assert code == 2
    assert "did not write" in stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stage", "10"], "the stages are 0 to 9"),
        (["--stage", "5", "--stop_stage", "4"], "comes after"),
        (["--nproc", "0"], "--nproc is 0; expected 1 or more"),
        (["--ngpu", "all"], "expected a whole number"),
        (["--model_config", "/nowhere.yaml"], "no file /nowhere.yaml"),
    ],
)
def test_options_that_cannot_work_are_refused(
    base: Path, arguments: list[str], message: str
) -> None:
    code, stderr, ran = run(base, *arguments)
    assert (code, ran) == (2, [])
    assert message in stderr


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_a_killed_run_leaves_no_child_behind(base: Path) -> None:
    stage = base / "toy/01_first.sh"
    helpers = f"source {ROOT}/recipes/lib/child.sh\n"
    wait = "run bash -c 'echo $$ >\"$data_dir/pid\"; sleep 60'\n"
    stage.write_text(stage.read_text() + helpers + wait)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", f"set -euo pipefail\n{RUN}", "bash", "--stop_stage", "1"],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix, "base": str(base)},
        stderr=subprocess.DEVNULL,
    )
    pid_file = base / "exp/full/data/pid"
    deadline = time.monotonic() + 20
    while not (pid_file.is_file() and pid_file.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    child = Path("/proc") / pid_file.read_text().strip()
    while child.exists() and "\nState:\tZ" not in (child / "status").read_text():
        assert time.monotonic() < deadline, "the child outlived its run"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nnodes", "2"], "needs --rdzv_endpoint host:port"),
        (["--nnodes", "2", "--node_rank", "2"], "it is 0 to 1"),
        (["--nproc_train", "0"], "1 or more"),
        (["--ngpu", "2", "--nproc_train", "2"], "--nproc_train is for the CPU"),
    ],
)
def test_nodes_and_processes_that_cannot_be_are_refused(
    base: Path, arguments: list[str], message: str
) -> None:
    code, stderr, ran = run(base, *arguments)
    assert (code, ran) == (2, [])
    assert message in stderr


def test_under_slurm_the_nodes_know_themselves(base: Path) -> None:
    """Another node than the first skips what is not shared; all meet at the job's first node."""
    scontrol = base / "bin/scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text('#!/bin/sh\n[ "$3" = "gpu[1-2]" ] && printf "gpu1\\ngpu2\\n"\n')
    scontrol.chmod(0o755)
    script = f"PATH={scontrol.parent}:$PATH\n{RUN}\necho at $rdzv_endpoint"
    slurm = {"SLURM_NNODES": "2", "SLURM_NODEID": "1", "SLURM_JOB_NODELIST": "gpu[1-2]"}
    (base / "exp/full/data").mkdir(parents=True)
    result = run_bash(script, base=str(base), SLURM_JOB_ID="41234", **slurm)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("at gpu1:21234\n")
    assert not (base / "exp/full/data/log").exists()  # no stage is shared


def test_several_processes_start_with_torchrun(tmp_path: Path) -> None:
    program = tmp_path / "torchrun"
    program.write_text('#!/bin/sh\nprintf "%s " "$@" >&2\n')
    program.chmod(0o755)
    start = f"train latentspeech tts a.yaml {tmp_path} ''"
    script = f"PATH={tmp_path}:$PATH\nsource recipes/lib/child.sh\n{start}"
    settings = {"ngpu": "0", "OMP_NUM_THREADS": "1", "node_rank": "1", "nproc_train": "2"}
    one = run_bash(script, nnodes="1", rdzv_endpoint="", **settings)
    assert "--standalone --nproc_per_node 2 -m latentspeech.cli.main train tts" in one.stderr
    assert "train.num_nodes=1" in one.stderr
    two = run_bash(script, nnodes="2", rdzv_endpoint="gpu1:29500", **settings)
    assert "--nnodes 2 --node_rank 1" in two.stderr
    assert "--rdzv_endpoint gpu1:29500 --nproc_per_node 2" in two.stderr
    assert "train.num_nodes=2" in two.stderr
