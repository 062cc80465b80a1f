"""Tables of egs/codec_benchmark: the paper's Table 5 with our rows, sizes, speeds, mel variants."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latentspeech.core.eval.paper_tables.beside import Cell, OurRow, beside, row_from_report
from latentspeech.core.eval.paper_tables.table import PaperTable
from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.core.eval.text_table import TextTable
from latentspeech.eval.metrics.catalogue import make_scorer
from recipes.codec_benchmark.benchmark import ANCHOR

MEL_VARIANTS = ("mel", "mel-dac-class", "mel-encodec", "mel-vocos")


def quality_table(
    table: PaperTable, facts: Mapping[str, dict[str, Any]], reports: Mapping[str, EvalReport]
) -> TextTable:
    """Table 5, then every codec of this run: scores, or the reason why there are none."""
    scored = {
        name: _scored_row(table, name, fact, reports[name])
        for name, fact in facts.items()
        if name in reports and "left_out" not in fact
    }
    own = list(dict.fromkeys(heading for row in scored.values() for heading in row.own))
    rows = [
        scored[name] if name in scored else _unscored_row(table, name, fact, own)
        for name, fact in facts.items()
    ]
    return beside(table, rows)


def _scored_row(
    table: PaperTable, name: str, fact: Mapping[str, Any], report: EvalReport
) -> OurRow:
    # Mel variants that the paper does not use have a table of their own.
    others = set(MEL_VARIANTS) - {column.metric for column in table.columns}
    metrics = [metric for metric in report.metrics if metric.key not in others]
    title = f"{fact['title']} ({name})"
    return row_from_report(table, title, replace(report, metrics=metrics), _settings(table, fact))


def _unscored_row(
    table: PaperTable, name: str, fact: Mapping[str, Any], own: Sequence[str]
) -> OurRow:
    if "left_out" in fact:
        hole = Cell(None, reason="not run: " + fact["left_out"])
        cells = {column.key: hole for column in table.columns}
    else:
        name = f"{fact['title']} ({name})"
        hole = Cell(None, reason="no copies: " + (fact["hole"] or "run stages 2 and 4"))
        settings = _settings(table, fact)
        cells = {c.key: Cell(settings[c.key]) if c.key in settings else hole for c in table.columns}
    return OurRow(name, cells, dict.fromkeys(own, hole))


def _settings(table: PaperTable, fact: Mapping[str, Any]) -> dict[str, Any]:
    return {column.key: fact[column.key] for column in table.columns if column.metric is None}


def speed_table(facts: Mapping[str, dict[str, Any]]) -> TextTable:
    """Sizes in millions, and seconds computed per second of audio on one thread and on two."""
    rows: list[list[str]] = []
    for name, fact in facts.items():
        if "left_out" in fact:
            continue
        sizes = [f"{fact['sizes'][part] / 1e6:.1f}" for part in _PARTS]
        kind = f"{fact['num_quantizers']} codebook{'s' if fact['num_quantizers'] > 1 else ''}"
        if fact["latent_dim"] is not None:
            kind = f"{fact['latent_dim']} dimensions"
        weights = "published" if fact["hole"] is None else "random"
        if fact["title"].startswith("sigma-VAE") and fact["hole"] is None:
            weights = "ours"
        causal = "yes" if fact["causal"] else "no"
        speeds = [cell for speed in fact["speeds"] for cell in _speed(speed)]
        frame = [f"{fact['frame_rate']:g}", f"{fact['token_reduction_ratio']:g}"]
        rows.append([name, *frame, kind, causal, *sizes, *speeds, weights])
    return TextTable(
        "Size and speed on the machine named above. Millions of learned numbers, unused codebooks "
        "left out; rtf is seconds computed per second of audio, whole files one at a time, in "
        f"brackets how many times as fast as {ANCHOR} in the same turns.",
        [
            "codec",
            "frame rate Hz",
            "token reduction ratio",
            "a frame",
            "causal",
            *(f"{part} M" for part in _PARTS),
            "encode rtf, 1 thread",
            "decode rtf, 1 thread",
            "encode rtf, 2 threads",
            "decode rtf, 2 threads",
            "weights",
        ],
        rows,
        ["Causal: the network needs no audio from the future; not every library lets it stream."],
    )


_PARTS = ("encoder", "quantizer", "decoder", "total")


def _speed(speed: Mapping[str, Any]) -> list[str]:
    cells: list[str] = []
    for side in ("encode", "decode"):
        ratio = speed[f"{side}_x_anchor"]
        beside_anchor = "" if ratio is None else f" ({ratio:.2f}x)"
        cells.append(f"{speed[f'{side}_rtf']:.3f}{beside_anchor}")
    return cells


def mel_table(reports: Mapping[str, EvalReport]) -> TextTable | None:
    """The mel distances in circulation, on the same copies."""
    rows: list[list[str]] = []
    for name, report in reports.items():
        found = {metric.key: metric for metric in report.metrics}
        cells = [_mel_cell(found.get(variant)) for variant in MEL_VARIANTS]
        rows.append([name, *cells])
    if not rows:
        return None
    names = [f"{make_scorer(variant).name} ({variant})" for variant in MEL_VARIANTS]
    caption = (
        "Mel distances of the same copies by the variants in circulation (lower is better): they "
        "are different numbers. The paper's figures agree with the second, the defaults of DAC's "
        "loss class, not with DAC's training configuration (docs/evaluation/signal_metrics.md has "
        "the evidence)."
    )
    return TextTable(caption, ["codec", *names], rows)


def _mel_cell(metric: MetricResult | None) -> str:
    if metric is None or metric.value is None:
        return "not measured"
    edges = metric.interval
    return f"{metric.value:.3f}" + ("" if edges is None else f" ({edges[0]:.3f} to {edges[1]:.3f})")


def read_all(
    names: Sequence[str], folder: Path
) -> tuple[dict[str, dict[str, Any]], dict[str, EvalReport]]:
    """(facts, reports) by codec, for the codecs that have them."""
    facts: dict[str, dict[str, Any]] = {}
    reports: dict[str, EvalReport] = {}
    for name in names:
        label = name.partition("=")[0]
        fact, report = folder / f"facts/{label}.json", folder / f"scores/{label}.json"
        if fact.is_file():
            facts[label] = json.loads(fact.read_text(encoding="utf-8"))
        if report.is_file():
            reports[label] = EvalReport.read(report)
    return facts, reports


def list_line(folder: Path) -> str:
    """One line that describes the list of recordings that were copied."""
    info = json.loads((folder / "list/items.jsonl.info.json").read_text(encoding="utf-8"))
    lines = (folder / "list/items.jsonl").read_text(encoding="utf-8").count("\n")
    return f"{lines} recordings: {info['protocol']}, {info['rule']}, SHA-256 {info['sha256'][:16]}"
