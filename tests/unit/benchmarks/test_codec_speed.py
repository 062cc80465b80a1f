"""The codec benchmark: its ratios, its goals and its page, on contestants that cost nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import codec_speed, report

ROOT = Path(__file__).parents[3]


def test_ratios_are_those_of_speeds_in_the_same_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"offline": 0.1, "frame by frame": 0.4}
    slowness = {codec_speed.FAST: 1, codec_speed.ENCODER: 4, codec_speed.PAPER: 8}
    slowness |= {codec_speed.ENCODEC: 2, codec_speed.MIMI: 3}

    def contestants(audio_s: float) -> list[codec_speed.Contestant]:
        return [
            codec_speed.Contestant(name, mode, audio_s, lambda: None)
            for name in slowness
            for mode in seconds
        ]

    monkeypatch.setattr(codec_speed, "contestants", contestants)
    monkeypatch.setattr(
        codec_speed,
        "median_seconds",
        lambda calls, repeats: {key: slowness[key[0]] * seconds[key[1]] for key in calls},
    )
    found = codec_speed.measure(2.0, 1)
    rows = {(row["what"], row["mode"]): row for row in found["rows"]}
    fast = rows[codec_speed.FAST, "frame by frame"]
    assert fast["x_real_time"] == 5.0
    assert fast["over"] == {codec_speed.PAPER: 8, codec_speed.ENCODEC: 2, codec_speed.MIMI: 3}
    goals = {(goal["what"], goal["over"], goal["mode"]): goal for goal in found["goals"]}
    met = {name: goal["met"] for name, goal in goals.items()}
    assert met[codec_speed.FAST, codec_speed.PAPER, "offline"] is False  # 8 of 10
    assert met[codec_speed.FAST, codec_speed.PAPER, "frame by frame"] is True  # 8 of 4
    assert met[codec_speed.FAST, codec_speed.MIMI, "offline"] is True
    assert met[codec_speed.ENCODER, codec_speed.FAST, "offline"] is False  # 0.25 of 0.5

    hardware = {"cpu": "a computer", "cores": 2, "threads": 1, "torch": "2", "gpu": None}
    values = {"hardware": hardware, "seconds": 2.0, "repeats": 1, **found}
    monkeypatch.setattr(report, "load", lambda name: json.loads(json.dumps(values)))
    page = report.codec_table()
    assert f"| {codec_speed.FAST} | frame by frame | 5.0 | 8.0 | 2.0 | 3.0 |" in page
    title = f"{codec_speed.FAST} over {codec_speed.PAPER}"
    assert f"| {title} | offline | 10 x | 8.0 x | no |" in page
    assert f"| {title} | frame by frame | 4 x | 8.0 x | yes |" in page


@pytest.mark.slow
def test_everybody_runs() -> None:
    pytest.importorskip("encodec")
    pytest.importorskip("transformers")
    command = [sys.executable, "-m", "benchmarks.codec_speed", "--threads", "1"]
    result = subprocess.run(
        [*command, "--seconds", "0.1", "--repeats", "1"], cwd=ROOT, capture_output=True, check=True
    )
    found = json.loads(result.stdout)
    assert len(found["rows"]) == 14
    assert all(row["x_real_time"] > 0 for row in found["rows"])
    assert len(found["goals"]) == 8
