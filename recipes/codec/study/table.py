"""Scores of several ways to make a copy, beside their differences from one of them."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from latentspeech.core.eval.comparison import Comparison, compare
from latentspeech.core.eval.report import EvalReport
from latentspeech.eval.metrics.catalogue import make_scorer
from recipes.codec.plot import write_small_png

# row -> a comparison with the base for each metric
Rows = dict[str, list[Comparison]]


def differences(reports: Mapping[str, EvalReport], base: str, metrics: Sequence[str]) -> Rows:
    """Compares every report with that of the name `base`, metric by metric."""
    return {
        name: [
            # The table has no p-values, so few exchanges are drawn for them.
            compare(
                *(reports[base], report, metric, make_scorer), common_only=True, num_permutations=1
            )
            for metric in metrics
        ]
        for name, report in reports.items()
    }


def markdown_table(rows: Rows) -> str:
    """A line for each row: the value, the difference and its 95% interval over utterances."""
    metrics = next(iter(rows.values()))
    heads = "".join(f" {found.metric} | difference, 95% |" for found in metrics)
    lines = [f"| made of |{heads}", "|---" * (2 * len(metrics) + 1) + "|"]
    for name, row in rows.items():
        cells = [f"{one.value_b:.2f} | {_difference(one)}" for one in row]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _difference(found: Comparison) -> str:
    if found.interval is None or found.difference == 0:
        return f"{found.difference:+.2f}"
    low, high = found.interval
    return f"{found.difference:+.2f} ({low:+.2f} to {high:+.2f})"


def draw(rows: Rows, out: Path) -> None:
    """Draws the values with the intervals of their differences as a small PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(rows)
    metrics = next(iter(rows.values()))
    figure, panels = pyplot.subplots(
        1,
        len(metrics),
        figsize=(4 + 2.5 * len(metrics), 1 + 0.22 * len(names)),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    places = range(len(names))
    for number, panel in enumerate(panels.flat):
        found = [rows[name][number] for name in names]
        values = [one.value_b for one in found]
        edges = [one.interval or (one.difference, one.difference) for one in found]
        below = [max(0.0, one.difference - low) for one, (low, _) in zip(found, edges, strict=True)]
        above = [
            max(0.0, high - one.difference) for one, (_, high) in zip(found, edges, strict=True)
        ]
        panel.errorbar(values, places, xerr=[below, above], fmt=".", linewidth=1, capsize=2)
        panel.axvline(found[0].value_a, color="grey", linewidth=0.8, linestyle="--")
        panel.set_xlabel(metrics[number].metric, fontsize=9)
        panel.tick_params(labelsize=8)
    panels[0, 0].set_yticks(places, names)
    panels[0, 0].invert_yaxis()
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    pyplot.close(figure)
    write_small_png(buffer, out)
