"""egs/custom/run.sh: its help, and what it refuses before anything is done."""

from pathlib import Path

import pytest

from recipes.lib.stage_record import header_parts
from tests.unit.recipes.shell import ROOT, run_bash

STAGES = sorted((ROOT / "recipes/fine_tune").glob("[0-9][0-9]_*.sh"))


def test_help_lists_the_stages() -> None:
    result = run_bash("bash egs/custom/run.sh --help")
    assert result.returncode == 0, result.stderr
    assert [int(path.name[:2]) for path in STAGES] == list(range(7))
    for path in STAGES:
        lines = path.read_text().splitlines()
        assert lines[1].removeprefix("# Purpose: ") in result.stdout
        assert header_parts(path, "Reads") != [""]
        assert header_parts(path, "Cost") != [""]
        assert len(lines) <= 60


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "--data is needed"),
        ("--data {}/none", "--data: no folder"),
        ("--data {} --full --lora_rank 4", "--full trains no adapters"),
        ("--data {} --model nobody", "no model directory, nor the name of one that ships"),
        ("--data {} --num_test 1", "expected 2 or more"),
        ("--data {} --steps 0", "must be 1 or more"),
        ("--data {} --weights last", "expected ema or model"),
        ("--data {} --exp_dir {}/exp", "lies inside --data"),
        ("--data {} --stage 7", "the stages are 0 to 6"),
        ("--data {} --lora_rnk 4", "did you mean --lora_rank?"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, options: str, message: str) -> None:
    result = run_bash(f"bash egs/custom/run.sh {options.replace('{}', str(tmp_path))}")
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
