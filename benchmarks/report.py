"""RESULTS.md from the JSON files of a benchmark run.

`bash benchmarks/run.sh` runs the benchmarks, writes benchmarks/results/*.json, then calls this.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def load(name: str) -> dict[str, Any]:
    """One result file."""
    values: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text("utf-8"))
    return values


def hardware_line(values: dict[str, Any]) -> str:
    """What it ran on."""
    hardware = values["hardware"]
    return (
        f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['threads']} thread(s), "
        f"torch {hardware['torch']}, GPU: {hardware['gpu'] or 'none'}"
    )


def codec_table() -> list[str]:
    """Codec decoders beside Encodec's."""
    values = load("codec_speed")
    rows = [
        f"| {name} | {row['x_real_time']} | {row['speed_over_encodec_decoder']} |"
        for name, row in values["results"].items()
    ]
    head = ["| what (1600x, random weights) | x real time | speed over Encodec's decoder |"]
    return ["## Codec", "", hardware_line(values), "", *head, "|---|---|---|", *rows, ""]


def tts_table(name: str) -> list[str]:
    """Where a TTS step's time goes."""
    values = load(name)
    columns = ("backbone_ms", "head_ms", "decoder_ms", "total_ms", "x_real_time")
    rows = [
        "| " + " | ".join([setting, *(str(row[column]) for column in columns)]) + " |"
        for setting, row in values["results"].items()
    ]
    head = "| setting | " + " | ".join(columns) + " |"
    lines = ["", head, "|---|---|---|---|---|---|", *rows, ""]
    return [f"## TTS step: {values['model']}", "", hardware_line(values), *lines]


def main() -> None:
    """Writes RESULTS.md."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `bash benchmarks/run.sh`. The machine is shared, so ratios within one table mean",
        "more than times: all contestants of a table take turns in one run.",
        "",
        *codec_table(),
        *tts_table("tts_step_paper"),
        *tts_table("tts_step_mini"),
    ]
    (HERE / "RESULTS.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
