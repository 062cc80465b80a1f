"""The report of a sweep over sampling settings: Markdown tables, and curves as in Figure 15.

Intervals are the wider of those over utterances and over speakers. All settings speak the same
items with the same noise, so the differences between them are more certain than the values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentspeech.core.eval.comparison import compare
from latentspeech.core.eval.paper_tables.beside import cell_of, own_heading
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.text_table import TextTable
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.storage.files import atomic_path
from latentspeech.eval.metrics.catalogue import METRICS, make_scorer
from recipes.tts.sweep.grid import HEADINGS, Sweep, setting_name

RECORDINGS = "recordings"  # the name of the report on recordings
_SETTINGS = ["solver", *HEADINGS.values()]


def values_table(settings: Sequence[SamplingConfig], reports: Mapping[str, EvalReport]) -> str:
    """A row for each scored setting, the recordings last, and a column for each metric."""
    columns = _columns(reports)
    rows = [
        [*_setting_cells(one), *_values(reports[setting_name(one)], columns)]
        for one in _in_order(settings)
        if setting_name(one) in reports
    ]
    if RECORDINGS in reports:
        rows.append([RECORDINGS, *["-"] * len(HEADINGS), *_values(reports[RECORDINGS], columns)])
    caption = "Values; in brackets the 95% interval, over utterances or speakers, the wider one."
    return TextTable(caption, [*_SETTINGS, *columns.values(), "utterances"], rows).to_markdown()


def differences_table(
    settings: Sequence[SamplingConfig], reports: Mapping[str, EvalReport], base: SamplingConfig
) -> str:
    """Differences of each setting from `base` in metrics of audio; "" without base or others."""
    others = [one for one in _in_order(settings) if one != base and setting_name(one) in reports]
    if setting_name(base) not in reports or not others:
        return ""
    first = reports[setting_name(base)]
    names = [metric.name for metric in first.metrics if not is_timing(metric.key)]
    columns = {name: title for name, title in _columns(reports).items() if name in names}
    rows = [
        [
            *_setting_cells(one),
            *(_difference(first, reports[setting_name(one)], name) for name in columns),
        ]
        for one in others
    ]
    caption = (
        f"Differences from {', '.join(_setting_cells(base))} (solver and settings as above), on "
        "the utterances that both have; in brackets the 95% interval (paired bootstrap, over "
        "utterances or speakers, the wider one)."
    )
    return TextTable(caption, [*_SETTINGS, *columns.values()], rows).to_markdown()


def plot(sweeps: Sequence[Sweep], reports: Mapping[str, EvalReport], out: Path) -> None:
    """Writes a PNG with sweeps as columns, metrics as rows, solvers as lines, intervals as bars.

    A sweep of one value is left out if another has more.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    def num_values(sweep: Sweep) -> int:
        return len({getattr(setting, sweep.field) for setting in sweep.settings})

    sweeps = [sweep for sweep in sweeps if num_values(sweep) > 1] or sweeps[:1]
    columns = _columns(reports)
    figure, panels = pyplot.subplots(
        len(columns),
        len(sweeps),
        figsize=(4.8 * len(sweeps), 2.6 * len(columns)),
        squeeze=False,
        sharey="row",
        layout="constrained",
    )
    for row, (metric, heading) in zip(panels, columns.items(), strict=True):
        for panel, sweep in zip(row, sweeps, strict=True):
            _draw(panel, sweep, reports, metric)
            panel.set_ylabel(heading, fontsize=9)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


def is_timing(key: str) -> bool:
    """Whether a metric, by its name on the command line, measures time, not audio."""
    return key in METRICS and METRICS[key].module == "speed"


def _draw(panel: Any, sweep: Sweep, reports: Mapping[str, EvalReport], metric: str) -> None:
    for solver in dict.fromkeys(setting.solver for setting in sweep.settings):
        points = [
            (getattr(setting, sweep.field), cell)
            for setting in sweep.settings
            if setting.solver == solver
            and (cell := _cell(reports.get(setting_name(setting)), metric)) is not None
        ]
        x = [value for value, _ in points]
        y = [cell.value for _, cell in points]
        edges = [cell.interval or (cell.value, cell.value) for _, cell in points]
        below = [value - low for value, (low, _) in zip(y, edges, strict=True)]
        above = [high - value for value, (_, high) in zip(y, edges, strict=True)]
        panel.errorbar(x, y, [below, above], label=solver, linewidth=1, marker=".", capsize=2)
    recordings = _cell(reports.get(RECORDINGS), metric)
    if recordings is not None:
        panel.axhline(
            recordings.value, color="grey", linewidth=0.8, linestyle="--", label=RECORDINGS
        )
    panel.set_xticks(sweep.values())
    panel.set_xlabel(sweep.axis, fontsize=9)
    panel.tick_params(labelsize=8)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=7)


@dataclass(frozen=True)
class _Value:
    value: float
    interval: tuple[float, float] | None


def _cell(report: EvalReport | None, metric: str) -> _Value | None:
    """The number of a metric, by its name; None where there is none."""
    for one in report.metrics if report is not None else ():
        if one.name == metric and one.value is not None:
            # The items of a batch share its time, so an interval over items would mean nothing.
            return _Value(one.value, None if is_timing(one.key) else cell_of(one).interval)
    return None


def _columns(reports: Mapping[str, EvalReport]) -> dict[str, str]:
    """{name: heading} of all metrics of the settings."""
    return {
        metric.name: own_heading(metric)
        for name, report in reports.items()
        if name != RECORDINGS
        for metric in report.metrics
    }


def _in_order(settings: Sequence[SamplingConfig]) -> list[SamplingConfig]:
    return sorted(
        settings, key=lambda one: (one.solver, *(getattr(one, field) for field in HEADINGS))
    )


def _setting_cells(sampling: SamplingConfig) -> list[str]:
    return [sampling.solver, *(f"{getattr(sampling, field):g}" for field in HEADINGS)]


def _values(report: EvalReport, columns: Mapping[str, str]) -> list[str]:
    cells = []
    for name in columns:
        found = _cell(report, name)
        cells.append("none" if found is None else _text(found.value, found.interval, ""))
    return [*cells, str(len(report.items))]


def _difference(first: EvalReport, second: EvalReport, metric: str) -> str:
    if _cell(first, metric) is None or _cell(second, metric) is None:
        return "none"
    found = compare(first, second, metric, make_scorer, common_only=True, num_permutations=1)
    intervals = [edges for edges in (found.interval, found.group_interval) if edges is not None]
    widest = max(intervals, key=lambda edges: edges[1] - edges[0], default=None)
    return _text(found.difference, widest, "+")


def _text(value: float, interval: tuple[float, float] | None, sign: str) -> str:
    text = f"{value:{sign}.3f}"
    if interval is None:
        return text
    return f"{text} ({interval[0]:{sign}.3f} to {interval[1]:{sign}.3f})"
