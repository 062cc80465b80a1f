"""The paper's rows beside a TTS run's: Table 5 for the codec's copies, 4 for the synthesis."""

import json
from pathlib import Path

from latentspeech.codec.model_directory import load_codec
from latentspeech.eval.paper_tables.beside import Cell, OurRow, beside, row_from_report
from latentspeech.eval.paper_tables.table import load_paper_table
from latentspeech.eval.report import EvalReport
from latentspeech.eval.text_table import TextTable

# How the test set is spoken: after a whole utterance of the same speaker.
TASK = "reference utterance"


def published_rows(codec_dir: Path, codec_check: Path | None, scores: Path | None) -> str:
    """Markdown of the tables that the run has measurements for."""
    tables: list[TextTable] = []
    if codec_check is not None:
        tables.append(codec_table(codec_dir, EvalReport.read(codec_check / "scores.json")))
    if scores is not None:
        values = json.loads((scores / "scores.json").read_text(encoding="utf-8"))
        reports = {kind: EvalReport.from_dict(report, kind) for kind, report in values.items()}
        tables.append(synthesis_table(codec_dir, reports))
    return "\n".join(table.to_markdown() for table in tables)


def codec_table(codec_dir: Path, report: EvalReport) -> TextTable:
    """Table 5 with this codec's copies."""
    config = load_codec(codec_dir).config
    settings = {
        "num_quantizers": 1,
        "frame_rate": config.frame_rate,
        "token_reduction_ratio": config.hop_length,
    }
    table = load_paper_table(5)
    name = f"sigma-VAE {config.latent_dim}-d of this run"
    return beside(table, [row_from_report(table, name, report, settings)])


def synthesis_table(codec_dir: Path, reports: dict[str, EvalReport]) -> TextTable:
    """Table 4 with this run's synthesis, its recordings, and the codec's copies of them."""
    table = load_paper_table(4)
    frame_rate = load_codec(codec_dir).config.frame_rate
    rows: list[OurRow] = []
    for kind, report in reports.items():
        row = row_from_report(table, f"{kind} of this run", report, group=TASK)
        rate = Cell(None, reason="not a synthesis")
        if kind == "synthesis":
            rate = Cell(frame_rate)
        rows.append(OurRow(row.name, {"frame_rate": rate, **row.cells}, row.own))
    return beside(table, rows)
