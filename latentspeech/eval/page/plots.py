"""Plots of a report as SVG in the page's colours: histograms, and a metric against length.

Text and lines are drawn in two placeholder colours, which are then replaced by the page's own, so
that one plot fits a light and a dark page.
"""

import io
import re
from collections.abc import Sequence
from typing import Any

from latentspeech.core.eval.report import ItemResult, MetricResult

_INK, _ACCENT = "#010203", "#040506"  # placeholders, never visible
_MAX_BINS = 24


def histogram(metric: MetricResult, utterances: Sequence[ItemResult]) -> str | None:
    """Draws one metric's scores and the corpus value; None for fewer than two scores."""
    values = [u.scores[metric.name].value for u in utterances if metric.name in u.scores]
    if len(values) < 2 or metric.value is None:
        return None
    figure, axes = _axes(3.4, 2.2)
    axes.hist(values, bins=min(_MAX_BINS, max(5, len(values) // 2)), color=_ACCENT)
    axes.axvline(metric.value, color=_INK, linestyle="--", linewidth=1)
    axes.set_xlabel(label_of(metric))
    axes.set_ylabel("utterances")
    said = (
        f"Histogram of {metric.name} over {len(values)} utterances, from {min(values):.3g} to "
        f"{max(values):.3g}; the dashed line is the corpus value, {metric.value:.3g}"
    )
    return _svg(figure, said)


def against_length(metric: MetricResult, utterances: Sequence[ItemResult]) -> str | None:
    """Draws one point (length, score) for each utterance; None for fewer than two points."""
    points = [
        (u.facts["duration_s"], u.scores[metric.name].value)
        for u in utterances
        if "duration_s" in u.facts and metric.name in u.scores
    ]
    if len(points) < 2:
        return None
    figure, axes = _axes(5.2, 2.8)
    lengths, values = zip(*points, strict=True)
    # Points are transparent, since many coincide where errors are few.
    axes.scatter(lengths, values, s=16, color=_ACCENT, alpha=0.6, linewidths=0)
    axes.set_xlabel("length, s")
    axes.set_ylabel(label_of(metric))
    axes.set_xlim(left=0)
    said = (
        f"{metric.name} of {len(points)} utterances by their length, which goes from "
        f"{min(lengths):.1f} to {max(lengths):.1f} s"
    )
    return _svg(figure, said)


def label_of(metric: MetricResult) -> str:
    """Returns name and unit."""
    return f"{metric.name}, {metric.unit}" if metric.unit else metric.name


def number(value: float) -> str:
    """Formats with three decimals, or with one from 100 on."""
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def _axes(width: float, height: float) -> tuple[Any, Any]:
    """Makes a figure (sizes in inches) without pyplot, which would look for a window system."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_INK)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.xaxis.label.set(color=_INK, fontsize=9)
    axes.yaxis.label.set(color=_INK, fontsize=9)
    axes.locator_params(axis="y", nbins=5)
    return figure, axes


def _svg(figure: Any, said: str) -> str:
    import matplotlib
    from markupsafe import escape

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "latentspeech"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]  # a page holds no XML declaration
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(_INK, "currentColor").replace(_ACCENT, "var(--accent)")
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(said)}"', 1)
