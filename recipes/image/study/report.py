"""The table and the pictures of the study's finished runs: means over seeds, with their range.

    python -m recipes.image.study.report --config egs/fashion/conf/study/study.yaml --exp_dir DIR \
        --out egs/fashion/RESULTS.md

Writes a section of RESULTS.md and, beside it, study.png: the distance over sigma.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import atomic_path
from recipes.image.study.plan import LEARNED, Run, StudyConfig, all_runs
from recipes.image.study.run import RESULT
from recipes.lib.results_file import provenance_lines, this_command, write_section

SECTION = "study of the tokenizer's noise"


class Point(NamedTuple):
    """One setting with the distances of its seeds."""

    part: str
    tokenizer: str
    model: str
    size: str
    scale: str
    values: tuple[float, ...]  # a value a seed
    parameters: int
    steps: int

    @property
    def mean(self) -> float:
        """Over seeds."""
        return sum(self.values) / len(self.values)

    def text(self) -> str:
        """The mean, and the range of the seeds if there are several."""
        if len(self.values) == 1:
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} ({min(self.values):.3f} to {max(self.values):.3f})"


def read_points(study: StudyConfig, exp_dir: Path) -> tuple[list[Point], int, int]:
    """Points of the finished runs, in the study's order, and how many runs of how many are done."""
    groups: dict[Run, list[dict[str, Any]]] = defaultdict(list)  # by the run without its seed
    runs = list(dict.fromkeys(all_runs(study)))
    done = 0
    for run in runs:
        path = exp_dir / "generators" / run.name / RESULT
        if path.is_file():
            done += 1
            groups[run._replace(seed=0)].append(json.loads(path.read_text(encoding="utf-8")))
    points = [
        Point(
            key.part,
            key.tokenizer,
            key.model,
            key.size,
            scale,
            tuple(result["distance"][scale] for result in results),
            results[0]["parameters"],
            results[0]["steps"],
        )
        for key, results in groups.items()
        for scale in results[0]["distance"]
    ]
    return points, done, len(runs)


def table(points: Sequence[Point]) -> str:
    """A row for each tokenizer, model and size, a column for each guidance scale."""
    scales = list(dict.fromkeys(point.scale for point in points))
    rows: dict[tuple[str, ...], list[Point]] = defaultdict(list)
    for point in points:
        rows[point.part, point.tokenizer, point.model, point.size].append(point)
    heading = " | ".join(f"cfg_scale {scale}" for scale in scales)
    lines = [
        f"| part | tokenizer | model | size | parameters | steps | seeds | {heading} |",
        "|---" * (7 + len(scales)) + "|",
    ]
    for key, of_row in rows.items():
        first = of_row[0]
        cells = [*key, f"{first.parameters / 1e6:.2f}M", str(first.steps), str(len(first.values))]
        by_scale: Mapping[str, str] = {point.scale: point.text() for point in of_row}
        cells += [by_scale.get(scale, "none") for scale in scales]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(points: Sequence[Point], metric: str, out: Path) -> None:
    """Distance over sigma: a line for each model and scale, with the range of its seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for point in points:
        if point.part == "noise":
            curves[point.model, point.scale].append(point)
    figure, panel = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for number, ((model, scale), of_curve) in enumerate(sorted(curves.items())):
        fixed = [point for point in of_curve if point.tokenizer != LEARNED]
        sigmas = [float(point.tokenizer.removeprefix("sigma_")) for point in fixed]
        low = [point.mean - min(point.values) for point in fixed]
        high = [max(point.values) - point.mean for point in fixed]
        colour = f"C{number}"
        means = [point.mean for point in fixed]
        label = f"{model}, cfg_scale {scale}"
        panel.errorbar(sigmas, means, (low, high), fmt=".-", color=colour, label=label, capsize=2)
        for point in of_curve:
            if point.tokenizer == LEARNED:
                panel.axhline(point.mean, color=colour, linestyle=":", linewidth=1)
    panel.set_xscale("log")
    panel.set_xlabel("sigma of the tokenizer; dotted: learned variance")
    panel.set_ylabel(metric)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    pyplot.close(figure)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML of the study")
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--out", type=Path, required=True, help="RESULTS.md; study.png goes beside")
    arguments = parser.parse_args()
    study = load_config(StudyConfig, arguments.config)
    points, done, count = read_points(study, arguments.exp_dir)
    if not points:
        raise DataError(
            f"{arguments.exp_dir} has no finished run; recipes.image.study.run makes some"
        )
    picture = arguments.out.parent / "study.png"
    metric = "Frechet distance over the classifier's features, lower is better"
    plot(points, metric, picture)
    lines = [
        "## The study of the tokenizer's noise\n",
        f"{done} of {count} runs are done. {metric}; {study.per_class} samples of each class "
        f"against {study.max_reference} pictures; each training has {study.compute_tflop:g} TFLOP. "
        "The mean over seeds, with their range.\n",
        *provenance_lines(this_command("recipes.image.study.report"), []),
        "",
        table(points),
        f"\n![study]({picture.name})",
    ]
    write_section(arguments.out, SECTION, "\n".join(lines))


if __name__ == "__main__":
    run_recipe(main)
