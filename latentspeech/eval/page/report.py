"""An HTML page with plots and audio of a report, or of several systems on the same list.

Pictures, players and the script that sorts tables are all in one file; nothing is fetched. The
worst utterances come first, by WER if it was measured, else by the report's first metric. A page
has at most `MAX_AUDIO_BYTES` of audio and says if it leaves out examples for that reason.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.report import EvalReport, Interval, MetricResult
from latentspeech.core.eval.scorer import require_packages
from latentspeech.core.eval.text_table import TextTable
from latentspeech.core.storage.files import atomic_path, check_target
from latentspeech.eval.page.examples import AudioBudget, make_examples, worst_first
from latentspeech.eval.page.plots import against_length, histogram, label_of, number

MAX_AUDIO_BYTES = 8_000_000  # before base64, which makes them a third larger in the page
MAX_ROWS = 500
MAX_FAILURES = 200
NUM_EXAMPLES = 8
_GROUPS = ("duration", "words", "sex", "speaker")
_FOLDER = Path(__file__).parent


def write_html(
    report: EvalReport | Mapping[str, EvalReport],
    path: Path,
    *,
    title: str = "Evaluation",
    audio_root: Path = Path(),
    tables: Sequence[TextTable] = (),
    num_examples: int = NUM_EXAMPLES,
) -> None:
    """Writes the page.

    Args:
        report: the report of one system, or the reports of several systems by name.
        path: the .html file.
        title: title of the page.
        audio_root: folder that relative paths of the reports refer to.
        tables: more tables to show, such as the paper's results beside ours.
        num_examples: number of utterances with players, over all systems.

    Raises:
        ConfigError: there is neither a report nor a table, or a needed package is missing.
    """
    check_page(path)
    reports = {"": report} if isinstance(report, EvalReport) else dict(report)
    if not reports and not tables:
        raise ConfigError("nothing to show; expected at least one report or table")
    budget = AudioBudget(MAX_AUDIO_BYTES)
    share = max(1, num_examples // max(1, len(reports))) if num_examples else 0
    systems = [
        _system(name or title, place, one, audio_root, share, budget)
        for place, (name, one) in enumerate(reports.items())
    ]
    text = (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            style=_source("report.css"),
            script=_source("report.js"),
            systems=systems,
            overview=_overview(reports),
            tables=tables,
        )
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_page(path: Path) -> None:
    """Raises an error, before any work, if the page could not be written to `path`."""
    require_packages("the HTML page", {"jinja2": "jinja2", "matplotlib": "matplotlib"})
    check_target(path)


def _environment() -> Any:
    import jinja2

    loader = jinja2.FileSystemLoader(_FOLDER)
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )


def _source(name: str) -> Any:
    """Returns our own style or script, marked as safe so that it is not escaped."""
    import markupsafe

    return markupsafe.Markup((_FOLDER / name).read_text(encoding="utf-8"))


def _system(
    name: str,
    place: int,
    report: EvalReport,
    audio_root: Path,
    num_examples: int,
    budget: AudioBudget,
) -> dict[str, Any]:
    """Returns the template's values for one report."""
    ranking = worst_first(report)
    by_length = [metric for metric in report.metrics if metric.key.startswith("wer")]
    pictures = (histogram(metric, report.items) for metric in report.metrics)
    scatters = (against_length(metric, report.items) for metric in by_length or ranking.metrics)
    rows = [_row(report, utterance) for utterance in ranking.utterances[:MAX_ROWS]]
    failures = report.failures[:MAX_FAILURES]
    return {
        "name": name,
        "anchor": f"system-{place}",
        "facts": _facts(report),
        "num_utterances": len(report.items),
        "metrics": [_metric(metric, report.num_flagged(metric.name)) for metric in report.metrics],
        "holes": list(report.holes.items()),
        "histograms": [picture for picture in pictures if picture is not None],
        "scatters": [picture for picture in scatters if picture is not None],
        "bucket_tables": _bucket_tables(report),
        "sorted_by": ranking.name,
        **make_examples(report, ranking.utterances, audio_root, num_examples, budget),
        "row_headings": ["utterance", "speaker", "length, s", *map(label_of, report.metrics)],
        "rows": rows,
        "rows_note": _rest(len(ranking.utterances) - len(rows)),
        "flags": report.flags[:MAX_FAILURES],
        "num_flags": len(report.flags),
        "flags_note": _rest(len(report.flags) - MAX_FAILURES),
        "failures": failures,
        "num_failures": len(report.failures),
        "failures_note": _rest(len(report.failures) - len(failures)),
        "methods": [(m.name, _method(m)) for m in report.metrics if m.hole is None],
        "settings": _settings(report),
    }


def _facts(report: EvalReport) -> list[tuple[str, str]]:
    run, listed = report.run, report.settings.get("list") or {}
    facts: list[tuple[str, str]] = [
        (key, str(run[key])) for key in ("command", "commit", "hardware", "date") if key in run
    ]
    if "protocol" in listed:
        facts.append(("list", f"{listed['protocol']}, {listed['sha256'][:16]}"))
    elif "sha256" in listed:
        facts.append(("list", str(listed["sha256"])[:16]))
    if "seconds" in run:
        memory = run.get("peak_memory_bytes", 0) / 2**20
        facts.append(("cost", f"{run['seconds']} s, {run['jobs']} process(es), {memory:.0f} MiB"))
    return facts


def _metric(metric: MetricResult, num_flagged: int) -> dict[str, Any]:
    value = "none" if metric.value is None else f"{number(metric.value)} {metric.unit}".strip()
    return {
        "name": metric.name,
        "hole": metric.hole,
        "value": value,
        "interval": _interval(metric.interval),
        "group_interval": _interval(metric.group_interval),
        "better": "higher" if metric.higher_is_better else "lower",
        "num_scored": metric.num_scored,
        "num_flagged": num_flagged,
        "num_failed": metric.num_failed,
    }


def _overview(reports: Mapping[str, EvalReport]) -> TextTable:
    """Makes a table with a row for each system and a column for each metric."""
    columns = {m.name: label_of(m) for report in reports.values() for m in report.metrics}
    rows: list[list[str]] = []
    for name, report in reports.items():
        found = {metric.name: metric for metric in report.metrics}
        cells = [_overview_cell(found.get(column)) for column in columns]
        rows.append([name, *cells, str(len(report.items))])
    caption = "All systems, with 95% intervals over utterances"
    return TextTable(caption, ["system", *columns.values(), "utterances"], rows)


def _overview_cell(metric: MetricResult | None) -> str:
    if metric is None or metric.value is None:
        return "not measured"
    edges = "" if metric.interval is None else f" ({_interval(metric.interval)})"
    return number(metric.value) + edges


def _bucket_tables(report: EvalReport) -> list[TextTable]:
    tables: list[TextTable] = []
    for group in _GROUPS:
        found = [metric for metric in report.metrics if metric.buckets_by(group)]
        if not found:
            continue
        labels = dict.fromkeys(
            bucket.label for metric in found for bucket in metric.buckets_by(group)
        )
        rows: list[list[str]] = []
        for label in labels:
            row = [next((b for b in m.buckets_by(group) if b.label == label), None) for m in found]
            cells = ["none" if b is None else f"{number(b.value)} ({b.num_scored})" for b in row]
            rows.append([label, *cells])
        caption = f"By {group}; how many utterances were scored in brackets"
        tables.append(TextTable(caption, [group, *map(label_of, found)], rows))
    return tables


def _row(report: EvalReport, utterance: Any) -> list[dict[str, Any]]:
    length = utterance.facts.get("duration_s")
    cells = [
        {"text": utterance.id, "key": utterance.id},
        {"text": utterance.group or "", "key": utterance.group},
        {"text": "" if length is None else f"{length:.1f}", "key": length},
    ]
    for metric in report.metrics:
        score = utterance.scores.get(metric.name)
        text = "" if score is None else number(score.value)
        cells.append({"text": text, "key": None if score is None else score.value})
    return cells


def _method(metric: MetricResult) -> str:
    parts = [f"{key} {value}" for key, value in metric.description.items() if key != "metric"]
    parts += [f"{kind.replace('_', ' ')} {count}" for kind, count in metric.totals.items()]
    return "; ".join(parts)


def _settings(report: EvalReport) -> list[tuple[str, str]]:
    versions = report.run.get("versions", {})
    listed = [(key, value) for key, value in (report.settings.get("list") or {}).items()]
    own = [(key, value) for key, value in report.settings.items() if key != "list"]
    rows = [*own, *((f"list {key}", value) for key, value in listed)]
    if versions:
        rows.append(("versions", ", ".join(f"{name} {value}" for name, value in versions.items())))
    return [(key.replace("_", " "), str(value)) for key, value in rows]


def _interval(edges: Interval | None) -> str:
    return "none" if edges is None else f"{number(edges[0])} to {number(edges[1])}"


def _rest(count: int) -> str:
    return f"{count} more are in the JSON file." if count > 0 else ""
