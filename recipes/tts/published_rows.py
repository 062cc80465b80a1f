"""The paper's rows beside a TTS run's: Table 5 for the codec's copies, 4 for the synthesis."""

import json
from collections.abc import Mapping
from pathlib import Path

from latentspeech.codec.model_directory import load_codec_module
from latentspeech.core.eval.paper_tables.beside import Cell, OurRow, beside, row_from_report
from latentspeech.core.eval.paper_tables.table import load_paper_table
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.text_table import TextTable

# Column groups of Table 4: the model speaks after a whole utterance of the same speaker, or goes on
# from the start of the utterance itself.
REFERENCE = "reference utterance"
PREFIX = "3 s prefix"
# Settings of the recipe with this ending are spoken in this project's way: with retries, a shortest
# length and the equalizer, none of which the paper has.
OURS = "_ours"
Reports = dict[str, EvalReport]


def published_rows(
    codec_dir: Path,
    codec_check: Path | None,
    scores: Mapping[str, Path],
) -> str:
    """Markdown of the tables that the run has measurements for, with their test sets.

    Args:
        codec_dir: codec of the run.
        codec_check: folder of the codec check, if there is one.
        scores: folders of score_test by setting: reference, prefix, reference_ours, prefix_ours.
    """
    tables: list[str] = []
    if codec_check is not None:
        report = EvalReport.read(codec_check / "scores.json")
        tables.append(codec_table(codec_dir, report).to_markdown())
        tables.append(_measured_on("codec copies", report))
    if scores:
        settings = {setting: _read(folder) for setting, folder in scores.items()}
        tables.append(synthesis_table(codec_dir, settings).to_markdown())
        tables += [
            _measured_on(setting_title(name), kinds["synthesis"])
            for name, kinds in settings.items()
        ]
    return "\n".join(tables)


def setting_title(setting: str) -> str:
    """A setting in words."""
    ours = ", in this project's way" if setting.endswith(OURS) else ""
    return f"{_group(setting)}{ours}"


def _group(setting: str) -> str:
    return PREFIX if setting.removesuffix(OURS) == "prefix" else REFERENCE


def _read(scores: Path) -> Reports:
    values = json.loads((scores / "scores.json").read_text(encoding="utf-8"))
    return {kind: EvalReport.from_dict(report, kind) for kind, report in values.items()}


def _measured_on(what: str, report: EvalReport) -> str:
    """A line that names the test set of this run's rows, which may differ from the paper's."""
    told = report.settings.get("list", {})
    left_out = f"; {told['left_out']} left out" if told.get("left_out") else ""
    protocol, rule = told.get("protocol", "an unnamed list"), told.get("rule", "rule unknown")
    number = len(report.items)
    return f"- {what}, of this run: {number} utterances of {protocol} ({rule}){left_out}\n"


def codec_table(codec_dir: Path, report: EvalReport) -> TextTable:
    """Table 5 with this codec's copies."""
    config = load_codec_module(codec_dir).config
    settings = {
        "num_quantizers": 1,
        "frame_rate": config.frame_rate,
        "token_reduction_ratio": config.hop_length,
    }
    table = load_paper_table(5)
    name = f"sigma-VAE {config.latent_dim}-d of this run"
    return beside(table, [row_from_report(table, name, report, settings)])


def synthesis_table(codec_dir: Path, settings: dict[str, Reports]) -> TextTable:
    """Table 4 with this run's synthesis, its recordings, and the codec's copies of them.

    Each setting has rows of its own, because a metric that the paper does not have gets one column
    for all settings. Recordings and copies are the same for all ways of speaking, except equalized
    copies.
    """
    table = load_paper_table(4)
    frame_rate = load_codec_module(codec_dir).config.frame_rate
    rows: list[OurRow] = []
    for setting, reports in settings.items():
        is_repeated = setting.endswith(OURS) and setting.removesuffix(OURS) in settings
        for kind, report in reports.items():
            if is_repeated and kind not in ("synthesis", "equalized copies"):
                continue
            name = f"{kind} of this run"
            if setting != "reference":
                name += f", {setting_title(setting)}"
            row = row_from_report(table, name, report, group=_group(setting))
            rate = Cell(None, reason="not a synthesis")
            if kind == "synthesis":
                rate = Cell(frame_rate)
            rows.append(OurRow(row.name, {"frame_rate": rate, **row.cells}, row.own))
    return beside(table, rows)
