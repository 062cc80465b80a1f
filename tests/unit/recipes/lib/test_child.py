"""How a stage shares its work among processes."""

from pathlib import Path

from tests.unit.recipes.shell import run_bash

SCRIPT = """
export recipes_root=$PWD nnodes=1 node_rank=0 rdzv_endpoint=
source recipes/lib/child.sh
work() { flock "$out" echo "$*" >>"$out"; }
run() { work "$@"; }
run_last() { work "$@"; }
"""


def calls(tmp_path: Path, command: str, **numbers: str) -> list[str]:
    out = tmp_path / "calls"
    out.write_text("")
    result = run_bash(SCRIPT + command, out=str(out), **numbers)
    assert result.returncode == 0, result.stderr
    return out.read_text().splitlines()


def test_every_thread_or_gpu_has_a_rank(tmp_path: Path) -> None:
    found = calls(tmp_path, "run_ranks encode it", nproc="2", ngpu="0")
    ranks = [f"encode it --rank {n} --world_size 2 --device cpu" for n in range(2)]
    assert sorted(found) == ranks
    found = calls(tmp_path, "run_ranks encode", nproc="4", ngpu="2")
    assert sorted(found) == [
        f"encode --rank {n} --world_size 2 --device cuda:{n}" for n in range(2)
    ]


def test_several_processes_share_between_a_beginning_and_an_end(tmp_path: Path) -> None:
    found = calls(tmp_path, "run_shared latents extract command", nproc="2", ngpu="0")
    assert (found[0], found[-1]) == ("command prepare", "command finish")
    assert sorted(line.split(" --world")[0] for line in found[1:-1]) == [
        "command extract --rank 0",
        "command extract --rank 1",
    ]


def test_one_process_does_all_in_one_call(tmp_path: Path) -> None:
    found = calls(tmp_path, "run_shared latents extract command", nproc="1", ngpu="0")
    assert found == ["command prepare extract finish --rank 0 --world_size 1 --device cpu"]


def test_speech_encodes_through_the_same_functions(tmp_path: Path) -> None:
    script = "source recipes/tts/encode_latents.sh\nencode_latents codec data out --shard_size 8"
    found = calls(tmp_path, script, nproc="1", ngpu="0")
    options = "--codec codec --data_dir data --out out --shard_size 8"
    program = "python -m recipes.tts.05_extract_latents"
    assert found == [
        f"{program} prepare {options}",
        f"{program} extract {options} --rank 0 --world_size 1 --device cpu",
        f"{program} finish {options}",
    ]


def test_a_failing_rank_fails_the_stage(tmp_path: Path) -> None:
    result = run_bash(
        SCRIPT + "run_last() { [[ $* != *'rank 1'* ]]; }\nrun_ranks encode",
        out=str(tmp_path / "calls"),
        nproc="2",
        ngpu="0",
    )
    assert result.returncode == 1
