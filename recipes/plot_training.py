"""Draws the curves of a run's metrics.jsonl: a panel a quantity, training and validation."""

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path

from latentspeech.core.errors import DataError
from latentspeech.core.files import atomic_path
from recipes.one_line_errors import run_recipe

GROUPS = ("train", "valid")
Curves = dict[str, dict[str, list[tuple[int, float]]]]


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


def plot(curves: Curves, title: str, out: Path) -> None:
    """Writes a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(3, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure, panels = pyplot.subplots(
        rows, columns, figsize=(4.5 * columns, 2.8 * rows), squeeze=False, layout="constrained"
    )
    for panel in panels.flat[len(curves) :]:
        panel.set_visible(False)
    for panel, (quantity, groups) in zip(panels.flat, sorted(curves.items()), strict=False):
        for group, points in sorted(groups.items()):
            steps, values = zip(*points, strict=True)
            # A line through one point cannot be seen.
            marker = "." if len(points) < 30 else ""
            panel.plot(steps, values, label=group, linewidth=1, marker=marker)
        panel.set_title(quantity, fontsize=10)
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
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of the run")
    parser.add_argument("--title", default="")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    arguments = parser.parse_args()
    curves = read_curves(arguments.exp_dir / "metrics.jsonl")
    plot(curves, arguments.title or arguments.exp_dir.name, arguments.out)


if __name__ == "__main__":
    run_recipe(main)
