"""Scores text, captions and answers on pages kept aside, and samples against their pictures.

Writes pages.json, a report for each guidance scale, and sweep.json with the values of all scales. A
metric that this machine cannot measure is a hole with its reason. The first metric that could be
measured decides the best scale.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.device import choose_device
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.core.storage.files import write_json
from latentvision.data.sources.config import FolderConfig, open_source
from latentvision.eval.catalogue import choose_metrics
from latentvision.eval.picture_set import PictureSet, size_of_first
from latentvision.eval.scoring import SampleScorer
from latentvision.images.reading import read_picture
from latentvision.mllm.page_writer import PageWriter
from latentvision.mllm.scores.clip_score import ClipModel, clip_score
from latentvision.mllm.scores.page_scores import PageScoringConfig, score_pages
from recipes.lib.progress_log import ProgressLog
from recipes.mllm.page_set import PICTURES, page_source
from recipes.mllm.samples import read_drawing, sample_path, scale_folder


def score_samples(
    samples: Path, reference: Path, metrics: Sequence[str], out: Path, device: str
) -> dict[float, EvalReport]:
    """The reports of all scales, which are written too."""
    drawing = read_drawing(samples)
    size = size_of_first(
        open_source(FolderConfig(path=scale_folder(samples, drawing.cfg_scales[0])))
    )
    real = PictureSet(open_source(FolderConfig(path=reference)), size)
    scorer = SampleScorer(real, choose_metrics(metrics), device=choose_device(device))
    reports = {}
    for scale in drawing.cfg_scales:
        drawn = PictureSet(open_source(FolderConfig(path=scale_folder(samples, scale))), size)
        reports[scale] = scorer.score(
            drawn,
            settings={"cfg_scale": scale, "model_hash": drawing.model_hash},
            progress=ProgressLog(f"scores at cfg_scale {scale:g}", "pictures"),
        )
        write_report(reports[scale], out / f"cfg_{scale:g}.json")
    return reports


def add_clip_scores(
    reports: dict[float, EvalReport], samples: Path, clip: Path | None, out: Path, device: str
) -> None:
    """Adds the CLIP score of each scale's samples with their captions to its report."""
    captions = read_drawing(samples).captions
    model: ClipModel | str
    try:
        model = ClipModel(clip, choose_device(device))
    except MetricUnavailable as error:
        model = str(error)
    for scale, report in reports.items():
        paths = [sample_path(samples, scale, number) for number in range(len(captions))]
        pictures = [] if isinstance(model, str) else [read_picture(path) for path in paths]
        report.metrics.append(clip_score(model, pictures, captions))
        write_report(report, out / f"cfg_{scale:g}.json")


def write_sweep(reports: dict[float, EvalReport], out: Path) -> None:
    """sweep.json: values by metric and scale, holes, and the scale of the best first metric."""
    values: dict[str, dict[str, float]] = {}
    holes: dict[str, str] = {}
    best: float | None = None
    for scale, report in reports.items():
        holes |= report.holes
        for metric in report.metrics:
            if metric.value is not None:
                values.setdefault(metric.name, {})[f"{scale:g}"] = metric.value
    first = next(iter(values), None)
    if first is not None:
        higher = next(iter(reports.values())).metric(first).higher_is_better
        choose = max if higher else min
        best = float(choose(values[first], key=lambda scale: values[first][scale]))
    found = {"best_cfg_scale": best, "decided_by": first, "values": values, "holes": holes}
    write_json(out, found)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--samples", type=Path, required=True, help="folder of stage 6")
    parser.add_argument("--pages", type=Path, required=True, help="folder of the pages")
    parser.add_argument("--max_pages", type=int, required=True)
    parser.add_argument("--metrics", required=True, help="names, with spaces")
    parser.add_argument("--clip", default="", help="directory of a CLIP model, for CLIP scores")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    config = PageScoringConfig(
        text=page_source(a.pages, "valid", "text"),
        pairs=page_source(a.pages, "valid", "pairs"),
        interleaved=page_source(a.pages, "valid", "interleaved"),
        questions=page_source(a.pages, "valid", "questions"),
        train_questions=page_source(a.pages, "train", "questions"),
        max_pages=a.max_pages,
    )
    writer = PageWriter.from_directory(a.model, choose_device(a.device))
    write_report(score_pages(writer, config), a.out / "pages.json")
    reference = a.pages / PICTURES / "valid"
    reports = score_samples(a.samples, reference, a.metrics.split(), a.out, a.device)
    add_clip_scores(reports, a.samples, Path(a.clip) if a.clip else None, a.out, a.device)
    write_sweep(reports, a.out / "sweep.json")


if __name__ == "__main__":
    run_recipe(main)
