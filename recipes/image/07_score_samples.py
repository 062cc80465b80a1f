"""Frechet distances of samples from validation pictures over guidance scales, and the best scale.

Writes a report for each scale, sweep.json with the values of all, and a picture of them. A distance
whose network this machine lacks is a hole with its reason in the reports. The first distance that
could be measured decides the best scale.
"""

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from latentspeech.core.command import run_recipe
from latentspeech.core.device import choose_device
from latentspeech.core.errors import InputError
from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.core.files import atomic_path, write_json
from latentspeech.core.provenance import describe_run
from latentvision.data.sources.config import FolderConfig, SourceConfig, open_source
from latentvision.eval.features import TITLES, FeatureKind, load_features
from latentvision.eval.frechet import FrechetDistance, ImageSet, frechet_hole
from recipes.image.picture_batches import picture_batches
from recipes.image.samples import Drawing, read_drawing, scale_folder
from recipes.image.source_option import parse_source

logger = logging.getLogger(__name__)


class Scoring:
    """Samples of one model, scored against one reference set."""

    def __init__(self, samples: Path, reference: SourceConfig, limit: int, size: int) -> None:
        """Args: `size` 0 is that of the samples."""
        self.samples = samples
        self.drawing: Drawing = read_drawing(samples)
        self.reference = open_source(reference)
        self.limit = limit
        first = open_source(FolderConfig(path=scale_folder(samples, self.drawing.cfg_scales[0])))
        self.size = size or first.picture(first.shard(0)[0]).width
        self.settings: dict[str, Any] = {
            "samples": self.drawing.model_dump(mode="json", exclude={"class_names", "cfg_scales"}),
            "reference": reference.model_dump(mode="json"),
            "size": self.size,
        }

    def measure(self, kind: FeatureKind, device: torch.device) -> dict[float, MetricResult]:
        """One distance at every scale; holes where it cannot be measured."""
        scales = self.drawing.cfg_scales
        try:
            features = load_features(kind)
            wanted = picture_batches(self.reference, self.size, self.limit)
            distance = FrechetDistance(features, ImageSet(str(self.reference), wanted), device)
            return {scale: self._at(scale, distance, kind) for scale in scales}
        except (MetricUnavailable, InputError) as error:
            return dict.fromkeys(scales, frechet_hole(TITLES[kind], error))

    def _at(self, scale: float, distance: FrechetDistance, kind: FeatureKind) -> MetricResult:
        folder = scale_folder(self.samples, scale)
        drawn = picture_batches(open_source(FolderConfig(path=folder)), self.size)
        result = distance.measure(ImageSet(str(folder), drawn), key=f"fd_{kind}")
        logger.info("cfg_scale %g: %s %.3f", scale, result.name, result.value)
        return result


def best_scale(values: dict[str, dict[str, float]]) -> float | None:
    """The scale of the smallest value of the first distance; None without any."""
    for of_scale in values.values():
        return float(min(of_scale, key=lambda scale: of_scale[scale]))
    return None


def plot(values: dict[str, dict[str, float]], out: Path) -> None:
    """Draws each distance over the scales."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(5, 3.2), layout="constrained")
    for name, of_scale in values.items():
        panel.plot([float(scale) for scale in of_scale], [*of_scale.values()], ".-", label=name)
    if values:
        panel.legend()
    panel.set_xlabel("cfg_scale")
    panel.set_ylabel("distance")
    panel.grid(alpha=0.3)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    pyplot.close(figure)


def score(scoring: Scoring, kinds: Sequence[FeatureKind], device: torch.device, out: Path) -> None:
    """Measures all distances at all scales and writes the files."""
    started = time.monotonic()
    found = [scoring.measure(kind, device) for kind in kinds]
    run = describe_run(time.monotonic() - started, 1, ("torch", "torch-fidelity", "Pillow"))
    values: dict[str, dict[str, float]] = {}
    out.mkdir(parents=True, exist_ok=True)
    for scale in scoring.drawing.cfg_scales:
        metrics = [results[scale] for results in found]
        settings = scoring.settings | {"cfg_scale": scale}
        report = EvalReport(metrics, [], [], settings, run, item_name="image", group_name="class")
        write_report(report, out / f"cfg_{scale:g}.json")
        for metric in metrics:
            if metric.value is not None:
                values.setdefault(metric.name, {})[f"{scale:g}"] = metric.value
    plot(values, out / "sweep.png")
    holes = {results[scale].name: results[scale].hole for results in found for scale in results}
    write_json(
        out / "sweep.json",
        {
            "best_cfg_scale": best_scale(values),
            "distances": values,
            "holes": {name: reason for name, reason in holes.items() if reason},
            "settings": scoring.settings,
        },
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of stage 6")
    parser.add_argument("--reference", type=parse_source, required=True)
    parser.add_argument("--max_reference", type=int, default=0, help="0 for all")
    parser.add_argument("--size", type=int, default=0, help="pixels; 0: the samples' own")
    parser.add_argument("--distances", default="efficientnet", help="names, with spaces")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    arguments = parser.parse_args()
    scoring = Scoring(
        arguments.samples, arguments.reference, arguments.max_reference, arguments.size
    )
    kinds: list[Any] = arguments.distances.split()
    score(scoring, kinds, choose_device(arguments.device), arguments.out)


if __name__ == "__main__":
    run_recipe(main)
