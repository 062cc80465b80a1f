"""local/run_rates.sh: what it refuses, and the table of its runs."""

from pathlib import Path

from latentspeech.core.eval.report import EvalReport, MetricResult
from tests.unit.recipes.shell import run_bash


def test_the_runner_says_what_is_missing(tmp_path: Path) -> None:
    shown = run_bash("bash egs/mini/local/run_rates.sh --help")
    assert "7.5 latents a second" in shown.stdout
    assert "--max-train" in shown.stdout.replace("_", "-")
    result = run_bash(f"bash egs/mini/local/run_rates.sh --codec {tmp_path}")
    assert result.returncode == 2
    assert "--codec names a model directory" in result.stderr
    result = run_bash(f"bash egs/mini/local/run_rates.sh --data_dir {tmp_path}")
    assert result.returncode == 2
    assert "cuts_train.jsonl.gz" in result.stderr


def result(name: str, value: float | None) -> MetricResult:
    return MetricResult(
        key="",
        name=name,
        unit="",
        higher_is_better=False,
        held_against="nothing",
        value=value,
        interval=(10.0, 14.0),
        group_interval=(8.0, 15.0),
        num_scored=2,
        num_failed=0,
        totals={},
        description={},
    )


def test_a_cell_has_the_wider_interval(local) -> None:
    table = local("rate_table")
    report = EvalReport([result("WER-W", 12.0), result("DNSMOS", None)], [], [], {})
    assert table.cell(report, "WER-W") == "12.000 (8.000 to 15.000)"
    assert table.cell(report, "DNSMOS") == table.cell(report, "PESQ") == "-"
