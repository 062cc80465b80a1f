"""Published rows and ours in one Markdown table.

A value of ours is in one of the paper's columns only if it was measured by that column's metric;
every other metric has its own column, to the right. A missing value is a dash with a reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.paper_tables.table import Column, PaperTable
from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.core.eval.text_table import TextTable

NOT_PRINTED = "not in the paper"
NOT_MEASURED = "not measured in this run"


@dataclass(frozen=True)
class Cell:
    """A value with its 95% interval, or None and the reason why there is none."""

    value: float | str | None
    interval: tuple[float, float] | None = None
    reason: str = NOT_MEASURED


@dataclass(frozen=True)
class OurRow:
    """One of our systems: `cells` by the table's column keys, `own` by headings of its columns."""

    name: str
    cells: Mapping[str, Cell] = field(default_factory=dict)
    own: Mapping[str, Cell] = field(default_factory=dict)


def row_from_report(
    table: PaperTable,
    name: str,
    report: EvalReport,
    settings: Mapping[str, float | str] | None = None,
    group: str | None = None,
) -> OurRow:
    """Makes the row of a report: each metric in its column of the paper, or else in its own column.

    Args:
        table: the paper's table.
        name: the system's name, for the first column.
        report: the system's report.
        settings: values of the columns that are not metrics, by key.
        group: the column group that the report belongs to, if several groups have a metric.
    """
    places = {
        column.metric: column
        for column in table.columns
        if column.metric is not None and group in (None, column.group)
    }
    cells = {key: Cell(value) for key, value in (settings or {}).items()}
    own: dict[str, Cell] = {}
    for metric in report.metrics:
        column = places.get(metric.key)
        if column is not None:
            cells[column.key] = cell_of(metric)
        else:
            own[own_heading(metric)] = cell_of(metric)
    return OurRow(name, cells, own)


def own_heading(metric: MetricResult) -> str:
    """Name, unit and an arrow towards the better end."""
    arrow = "\u2191" if metric.higher_is_better else "\u2193"
    return f"{metric.name} {metric.unit}".rstrip() + f" {arrow}"


def cell_of(metric: MetricResult) -> Cell:
    """The value over all items, with the wider of its intervals."""
    intervals = [edges for edges in (metric.interval, metric.group_interval) if edges is not None]
    widest = max(intervals, key=lambda edges: edges[1] - edges[0], default=None)
    reason = metric.hole or f"no item could be scored, {metric.num_failed} failed"
    return Cell(metric.value, widest, reason)


def render_beside(table: PaperTable, ours: Sequence[OurRow]) -> str:
    """The published rows, then ours, in the paper's column order, as Markdown."""
    return beside(table, ours).to_markdown()


def beside(table: PaperTable, ours: Sequence[OurRow]) -> TextTable:
    """The published rows, then ours, in the paper's column order."""
    for row in ours:
        for key in row.cells:
            table.column(key)  # raises if the key is unknown; it would be dropped silently
    own = list(dict.fromkeys(heading for row in ours for heading in row.own))
    headings = [column.heading for column in table.columns]
    if clash := set(own) & set(headings):
        raise ConfigError(f"{', '.join(sorted(clash))}: the paper's column; name yours differently")
    notes = _Notes()
    rows: list[list[str]] = []
    for published in table.rows:
        texts = [
            notes.dash(NOT_PRINTED) if value is None else column.text(value)
            for column, value in zip(table.columns, published.values, strict=True)
        ]
        name = f"{published.name} ({published.group})" if published.group else published.name
        source = "paper, first version" if published.first_version_only else "paper"
        rows.append([name, source, *texts, *(notes.dash(NOT_PRINTED) for _ in own)])
    for row in ours:
        texts = [_text(row.cells.get(column.key), column, notes) for column in table.columns]
        texts += [_text(row.own.get(heading), None, notes) for heading in own]
        rows.append([row.name, "this run", *texts])
    caption = (
        f"{table.title}: {table.source}, on {table.data}; then this run, on its own data, with 95% "
        "intervals in brackets (over items or over groups such as speakers, whichever is wider)."
    )
    return TextTable(
        caption, ["system", "from", *headings, *own], rows, [*notes.lines(), *table.notes]
    )


class _Notes:
    """The reasons for dashes; equal reasons share a number."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def dash(self, reason: str) -> str:
        if reason not in self._reasons:
            self._reasons.append(reason)
        return f"- [{self._reasons.index(reason) + 1}]"

    def lines(self) -> list[str]:
        return [f"[{number}] {reason}" for number, reason in enumerate(self._reasons, start=1)]


def _text(cell: Cell | None, column: Column | None, notes: _Notes) -> str:
    if cell is None or cell.value is None:
        return notes.dash(NOT_MEASURED if cell is None else cell.reason)
    if isinstance(cell.value, str):
        return cell.value
    format_value = _three_decimals if column is None else column.text
    text = format_value(cell.value)
    if cell.interval is None:
        return text
    low, high = (format_value(edge) for edge in cell.interval)
    return f"{text} ({low} to {high})"


def _three_decimals(value: float) -> str:
    return f"{value:.3f}"
