"""Draws the curves of a run's metrics.jsonl: one panel for each quantity, training and validation.

Several runs are drawn one after the other, for runs that start from the weights of the one before.
`--scores STEP=FOLDER` adds metrics that recipes.codec.check measured after that many steps of all
runs; a metric is drawn if all folders have it.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.storage.files import atomic_path

GROUPS = ("train", "valid")
# What a quantity's name in the log cannot say.
TITLES = {
    "log_std_mu_over_sigma": "log(std(mu) / E|sigma|)",
    "mel_l1": "mel loss",
    "mu_regularizer": "beta mean(mu^2)",
    "pitch_cross_entropy": "pitch cross entropy, nats",
    "waveform_l1": "mean |x^ - x|",
}
Curves = dict[str, dict[str, list[tuple[int, float]]]]


class RunStart(NamedTuple):
    """A run among several: its name and how many steps the ones before it took."""

    name: str
    step: int


def read_curves(path: Path) -> Curves:
    """quantity -> group -> (step, value) of what a training logged."""
    if not path.is_file():
        raise DataError(f"{path} not found; expected the metrics of a training run")
    curves: Curves = defaultdict(lambda: defaultdict(list))
    for line in path.read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        for name, value in values.items():
            group, _, quantity = name.partition("/")
            if group in GROUPS and value is not None:
                curves[quantity][group].append((values["step"], value))
    if not curves:
        raise DataError(f"{path} holds no train/ or valid/ metrics; has the run logged a step?")
    return curves


def join_runs(folders: Sequence[Path]) -> tuple[Curves, list[RunStart]]:
    """The curves of runs that follow each other, and where each begins."""
    joined: Curves = defaultdict(lambda: defaultdict(list))
    starts: list[RunStart] = []
    offset = 0
    for folder in folders:
        starts.append(RunStart(folder.name, offset))
        last = 0
        for quantity, groups in read_curves(folder / "metrics.jsonl").items():
            for group, points in groups.items():
                joined[quantity][group] += [(offset + step, value) for step, value in points]
                last = max(last, points[-1][0])
        offset += last
    return joined, starts


def score_curves(texts: Iterable[str]) -> Curves:
    """metric -> group -> (step, value) of folders of recipes.codec.check, given as STEP=FOLDER."""
    curves: Curves = defaultdict(lambda: defaultdict(list))
    for text in texts:
        step, separator, name = text.partition("=")
        if not (separator and step.isdigit()):
            raise ConfigError(f"--scores {text}: expected STEP=FOLDER of recipes.codec.check")
        paths = sorted([*Path(name).glob("scores.json"), *Path(name).glob("*/scores.json")])
        if not paths:
            raise DataError(f"{name} has no scores.json; run recipes.codec.check")
        for path in paths:
            group = "test" if path.parent == Path(name) else path.parent.name
            for metric in EvalReport.read(path).metrics:
                if metric.value is not None:
                    title = f"{metric.name} {metric.unit}".strip()
                    curves[title][group].append((int(step), metric.value))
    most = max((len(p) for groups in curves.values() for p in groups.values()), default=0)
    return {
        title: {group: sorted(points) for group, points in groups.items()}
        for title, groups in curves.items()
        if all(len(points) == most for points in groups.values())
    }


def choose(curves: Curves, quantities: Sequence[str]) -> Curves:
    """The named quantities in their order, or all; DataError for one that is not there."""
    missing = [name for name in quantities if name not in curves]
    if missing:
        raise DataError(f"no run logged {missing[0]}; there are {', '.join(sorted(curves))}")
    return {name: curves[name] for name in quantities or sorted(curves)}


def plot(curves: Curves, title: str, out: Path, starts: Sequence[RunStart] = ()) -> None:
    """Writes a PNG; `starts` marks where each run after the first begins."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    last = max(p[0] for groups in curves.values() for points in groups.values() for p in points)
    columns = min(3, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure, panels = pyplot.subplots(
        rows, columns, figsize=(4.5 * columns, 2.8 * rows), squeeze=False, layout="constrained"
    )
    for panel in panels.flat[len(curves) :]:
        panel.set_visible(False)
    for panel, (quantity, groups) in zip(panels.flat, curves.items(), strict=False):
        for group, points in sorted(groups.items()):
            steps, values = zip(*points, strict=True)
            # A line through one point cannot be seen.
            marker = "." if len(points) < 30 else ""
            panel.plot(steps, values, label=group, linewidth=1, marker=marker)
        for start in starts[1:]:
            panel.axvline(start.step, color="grey", linewidth=0.8, linestyle="--")
        panel.set_xlim(0, 1.02 * last)
        panel.set_title(TITLES.get(quantity, quantity), fontsize=10)
        panel.set_xlabel("step", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    figure.suptitle(title)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--exp_dir", type=Path, nargs="+", required=True, help="folders of runs, one after another"
    )
    parser.add_argument("--quantities", nargs="*", default=[], help="what to draw; default: all")
    parser.add_argument(
        "--scores", nargs="*", default=[], help="STEP=FOLDER of recipes.codec.check"
    )
    parser.add_argument("--title", default="")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    arguments = parser.parse_args()
    curves, starts = join_runs(arguments.exp_dir)
    chosen = choose(curves, arguments.quantities) | score_curves(arguments.scores)
    title = arguments.title or ", then ".join(start.name for start in starts)
    plot(chosen, title, arguments.out, starts)


if __name__ == "__main__":
    run_recipe(main)
