"""Scores samples at every guidance scale, and finds the scale of the best distance.

Writes a report for each scale, sweep.json with the values of all, and a picture of them. A metric
whose network this machine lacks is a hole with its reason. Without a classifier the metrics that
need one are left out. The first Frechet distance among the metrics that could be measured decides
the best scale.
"""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path

import torch

from latentspeech.core.command import run_recipe
from latentspeech.core.device import choose_device
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.storage.files import atomic_path, write_json
from latentvision.data.sources.config import FolderConfig, SourceConfig, open_source
from latentvision.eval.catalogue import choose_metrics
from latentvision.eval.picture_set import PictureSet, size_of_first
from latentvision.eval.scoring import score_pictures
from recipes.image.samples import read_drawing, scale_folder
from recipes.image.source_option import parse_source
from recipes.lib.progress_log import ProgressLog

logger = logging.getLogger(__name__)

Values = dict[str, dict[str, float]]  # metric -> scale -> value


def score_scales(
    samples: Path,
    reference: SourceConfig,
    metrics: list[str],
    out: Path,
    *,
    classifier: Path | None = None,
    max_reference: int | None = None,
    size: int | None = None,
    device: torch.device | str = "cpu",
) -> None:
    """Scores the samples of stage 6 and writes the files; None: all, and the samples' own size."""
    chosen = choose_metrics(metrics)
    if classifier is None:
        chosen = {name: m for name, m in chosen.items() if m.network != "classifier"}
    drawing, real = read_drawing(samples), open_source(reference)
    out.mkdir(parents=True, exist_ok=True)
    reports = {}
    for scale in drawing.cfg_scales:
        drawn = open_source(FolderConfig(path=scale_folder(samples, scale)))
        side = size or size_of_first(drawn)
        report = score_pictures(
            PictureSet(drawn, side),
            PictureSet(real, side, max_reference),
            chosen,
            classifier=classifier,
            device=device,
            settings={"cfg_scale": scale, "model_hash": drawing.model_hash},
            progress=ProgressLog(f"scores at cfg_scale {scale:g}", "pictures"),
        )
        write_report(report, out / f"cfg_{scale:g}.json")
        reports[scale] = report
    values = values_by_scale(reports)
    plot(values, out / "sweep.png")
    holes = {name: reason for report in reports.values() for name, reason in report.holes.items()}
    decided_by, best = best_scale(values)
    write_json(
        out / "sweep.json",
        {"best_cfg_scale": best, "decided_by": decided_by, "values": values, "holes": holes},
    )


def values_by_scale(reports: Mapping[float, EvalReport]) -> Values:
    """Every metric that was measured, over the scales."""
    values: Values = {}
    for scale, report in reports.items():
        for metric in report.metrics:
            if metric.value is not None:
                values.setdefault(metric.name, {})[f"{scale:g}"] = metric.value
    return values


def best_scale(values: Values) -> tuple[str | None, float | None]:
    """The first Frechet distance and the scale of its smallest value; None without any."""
    for name, of_scale in values.items():
        if name.startswith("FID") or name.startswith("FD"):
            return name, float(min(of_scale, key=lambda scale: of_scale[scale]))
    return None, None


def plot(values: Values, out: Path) -> None:
    """Draws each metric over the scales, a panel each."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = max(1, len(values))
    figure, panels = pyplot.subplots(
        1, columns, figsize=(3 * columns, 2.8), squeeze=False, layout="constrained"
    )
    for panel, (name, of_scale) in zip(panels.flat, values.items(), strict=False):
        panel.plot([float(scale) for scale in of_scale], [*of_scale.values()], ".-")
        panel.set_title(name, fontsize=9)
        panel.set_xlabel("cfg_scale", fontsize=8)
        panel.grid(alpha=0.3)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    pyplot.close(figure)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of stage 6")
    parser.add_argument("--reference", type=parse_source, required=True)
    parser.add_argument("--max_reference", type=int, default=0, help="0 for all")
    parser.add_argument("--size", type=int, default=0, help="pixels; 0: the samples' own")
    parser.add_argument("--metrics", required=True, help="names, with spaces")
    parser.add_argument("--classifier", type=Path, required=True, help="used if it is there")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    a = parser.parse_args()
    score_scales(
        a.samples,
        a.reference,
        a.metrics.split(),
        a.out,
        classifier=a.classifier if a.classifier.is_dir() else None,
        max_reference=a.max_reference or None,
        size=a.size or None,
        device=choose_device(a.device),
    )


if __name__ == "__main__":
    run_recipe(main)
