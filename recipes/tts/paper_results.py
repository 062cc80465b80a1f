"""RESULTS.md of egs/libriheavy: the paper's Tables 5 and 4, and a row of ours for each codec.

A row is empty, with the reason, until its experiment is given: `--exp 1600=DIR` takes the reports
of stages 4 and 8 of that folder. What was measured beyond the paper's columns is in the RESULTS.md
of the experiment itself.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from latentspeech.codec.presets import codec_preset
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.paper_tables.beside import Cell, OurRow, beside, row_from_report
from latentspeech.core.eval.paper_tables.table import PaperTable, load_paper_table
from latentspeech.core.eval.report import EvalReport
from recipes.lib.results_file import this_command, write_results
from recipes.one_line_errors import run_recipe
from recipes.tts.published_rows import OURS, PREFIX, REFERENCE

REDUCTIONS = (1600, 3200, 6400)
NOTE = (
    "The paper's rows are printed values. A row of this run is empty until its experiment was run: "
    "nothing in it is estimated.\n"
)


def codec_row(table: PaperTable, reduction: int, exp_dir: Path | None) -> OurRow:
    """Table 5's row of a codec."""
    config = codec_preset(reduction)
    settings: dict[str, float | str] = {
        "num_quantizers": 1,
        "frame_rate": config.frame_rate,
        "token_reduction_ratio": reduction,
    }
    name = f"sigma-VAE {config.latent_dim}-d, egs/libriheavy"
    if exp_dir is None:
        return OurRow(name, {key: Cell(value) for key, value in settings.items()})
    report = EvalReport.read(exp_dir / "codec_check/scores.json")
    return OurRow(name, row_from_report(table, name, report, settings).cells)


def speech_rows(table: PaperTable, reduction: int, exp_dir: Path | None) -> list[OurRow]:
    """Table 4's rows of a TTS, both settings in one: as in the paper, then in this project's way.

    The second is there once it was measured.
    """
    name = "LatentLM, egs/libriheavy"
    paper = {REFERENCE: "scores", PREFIX: "scores_prefix"}
    ours = {REFERENCE: f"scores_reference{OURS}", PREFIX: f"scores_prefix{OURS}"}
    rows = [_speech_row(table, name, reduction, exp_dir, paper)]
    if exp_dir is not None and all((exp_dir / folder).is_dir() for folder in ours.values()):
        named = f"{name}, with retries, shortest length and equalizer"
        rows.append(_speech_row(table, named, reduction, exp_dir, ours))
    return rows


def _speech_row(
    table: PaperTable,
    name: str,
    reduction: int,
    exp_dir: Path | None,
    folders: Mapping[str, str],
) -> OurRow:
    cells: dict[str, Cell] = {"frame_rate": Cell(codec_preset(reduction).frame_rate)}
    for group, folder in folders.items() if exp_dir is not None else ():
        assert exp_dir is not None
        values = json.loads((exp_dir / folder / "scores.json").read_text(encoding="utf-8"))
        report = EvalReport.from_dict(values["synthesis"], "synthesis")
        cells |= row_from_report(table, name, report, group=group).cells
    return OurRow(name, cells)


def paper_results(experiments: Mapping[int, Path]) -> str:
    """Both tables in Markdown."""
    codecs, speech = load_paper_table(5), load_paper_table(4)
    rows = [(r, experiments.get(r)) for r in REDUCTIONS]
    tables = [
        beside(codecs, [codec_row(codecs, *row) for row in rows]),
        beside(speech, [one for row in rows for one in speech_rows(speech, *row)]),
    ]
    return "\n".join([NOTE, *(table.to_markdown() for table in tables)])


def parse_experiments(texts: Sequence[str]) -> dict[int, Path]:
    """REDUCTION=DIR each; ConfigError for others."""
    found: dict[int, Path] = {}
    for text in texts:
        reduction, _, folder = text.partition("=")
        if not (reduction.isdecimal() and int(reduction) in REDUCTIONS and folder):
            raise ConfigError(f"--exp {text}: expected one of {REDUCTIONS}, =, and its folder")
        found[int(reduction)] = Path(folder)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="RESULTS.md")
    parser.add_argument("--exp", nargs="*", default=[], help="REDUCTION=DIR of finished runs")
    arguments = parser.parse_args()
    experiments = parse_experiments(arguments.exp)
    runs = [f"{reduction}x: {folder}" for reduction, folder in experiments.items()]
    text = paper_results(experiments)
    write_results(arguments.out, this_command("recipes.tts.paper_results"), runs, text, [])
    print(f"{arguments.out}: {len(experiments)} of {len(REDUCTIONS)} experiments")


if __name__ == "__main__":
    run_recipe(main)
