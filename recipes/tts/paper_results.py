"""RESULTS.md of egs/libriheavy: the paper's Tables 5, 4 and 8, with our rows beside them.

A row is empty, with the reason, until its experiment is given: `--exp 1600=DIR` takes the reports
of stages 4 and 8 of that folder, `--table8 1600x16=DIR` those that
egs/libriheavy/local/run_table8.sh wrote there. Measurements that the paper's columns do not hold
are in the RESULTS.md of the experiment itself.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from latentspeech.codec.presets import codec_preset
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.paper_tables.beside import Cell, OurRow, beside, row_from_report
from latentspeech.core.eval.paper_tables.table import PaperTable, load_paper_table
from latentspeech.core.eval.report import EvalReport
from recipes.lib.results_file import this_command, write_results
from recipes.tts.published_rows import OURS, PREFIX, REFERENCE

REDUCTIONS = (1600, 3200, 6400)
# Token reduction ratio and latent dimension of Table 8's codecs.
ABLATIONS = {"640x16": (640, 16), "1600x16": (1600, 16), "1600x32": (1600, 32)}
COPIES, SPEECH = "reconstruction", "zero-shot TTS"
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
    """Table 4's rows of a TTS model: spoken as in the paper, and in this project's way.

    Each row holds both settings, reference and prefix. The second row is left out until it has been
    measured.
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


def ablation_row(table: PaperTable, name: str, exp_dir: Path | None) -> OurRow:
    """Table 8's row of a codec and the 12-layer TTS on it.

    The mel distance is of copies of the corpus' own test cuts; SIM and WER-C are of copies and of
    synthesis of LibriSpeech test-clean.
    """
    reduction, latent_dim = ABLATIONS[name]
    cells: dict[str, Cell] = {
        "token_reduction_ratio": Cell(reduction),
        "frame_rate": Cell(codec_preset(reduction).frame_rate),
        "latent_dim": Cell(latent_dim),
    }
    title = "sigma-VAE, egs/libriheavy"
    if exp_dir is None:
        return OurRow(title, cells)
    check = exp_dir / "table8_check"
    cells |= _measured(table, EvalReport.read(check / "scores.json"), COPIES, {"copy_mel"})
    librispeech = EvalReport.read(check / "librispeech/scores.json")
    cells |= _measured(table, librispeech, COPIES, {"copy_sim", "copy_wer_c"})
    values = json.loads((exp_dir / "scores/scores.json").read_text(encoding="utf-8"))
    spoken = EvalReport.from_dict(values["synthesis"], "synthesis")
    return OurRow(title, cells | _measured(table, spoken, SPEECH, {"tts_sim", "tts_wer_c"}))


def _measured(table: PaperTable, report: EvalReport, group: str, keys: set[str]) -> dict[str, Cell]:
    """The named cells of a report, without those whose metric it lacks."""
    cells = row_from_report(table, "", report, group=group).cells
    return {key: cell for key, cell in cells.items() if key in keys}


def paper_results(
    experiments: Mapping[int, Path], ablations: Mapping[str, Path] | None = None
) -> str:
    """The three tables in Markdown."""
    codecs, speech, ablation = (load_paper_table(number) for number in (5, 4, 8))
    rows = [(r, experiments.get(r)) for r in REDUCTIONS]
    given = ablations or {}
    tables = [
        beside(codecs, [codec_row(codecs, *row) for row in rows]),
        beside(speech, [one for row in rows for one in speech_rows(speech, *row)]),
        beside(ablation, [ablation_row(ablation, name, given.get(name)) for name in ABLATIONS]),
    ]
    return "\n".join([NOTE, *(table.to_markdown() for table in tables)])


def parse_experiments(texts: Sequence[str]) -> dict[int, Path]:
    """Parses REDUCTION=DIR texts; ConfigError for others."""
    found: dict[int, Path] = {}
    for text in texts:
        reduction, _, folder = text.partition("=")
        if not (reduction.isdecimal() and int(reduction) in REDUCTIONS and folder):
            raise ConfigError(f"--exp {text}: expected one of {REDUCTIONS}, =, and its folder")
        found[int(reduction)] = Path(folder)
    return found


def parse_ablations(texts: Sequence[str]) -> dict[str, Path]:
    """Parses NAME=DIR texts with NAME one of ABLATIONS; ConfigError for others."""
    found: dict[str, Path] = {}
    for text in texts:
        name, _, folder = text.partition("=")
        if name not in ABLATIONS or not folder:
            known = ", ".join(ABLATIONS)
            raise ConfigError(f"--table8 {text}: expected one of {known}, =, and its folder")
        found[name] = Path(folder)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="RESULTS.md")
    parser.add_argument("--exp", nargs="*", default=[], help="REDUCTION=DIR of finished runs")
    parser.add_argument("--table8", nargs="*", default=[], help="NAME=DIR of run_table8.sh")
    arguments = parser.parse_args()
    experiments = parse_experiments(arguments.exp)
    ablations = parse_ablations(arguments.table8)
    runs = [f"{reduction}x: {folder}" for reduction, folder in experiments.items()]
    runs += [f"Table 8, {name}: {folder}" for name, folder in ablations.items()]
    text = paper_results(experiments, ablations)
    write_results(arguments.out, this_command("recipes.tts.paper_results"), runs, text, [])
    done, wanted = len(experiments) + len(ablations), len(REDUCTIONS) + len(ABLATIONS)
    print(f"{arguments.out}: {done} of {wanted} experiments")


if __name__ == "__main__":
    run_recipe(main)
