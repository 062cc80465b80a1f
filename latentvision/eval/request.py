"""A whole request to score pictures, by paths: what `latentvision score` does."""

from dataclasses import dataclass
from pathlib import Path

import torch

from latentspeech.core.device import CPU
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.storage.files import check_target
from latentvision.data.sources.locate import open_pictures
from latentvision.eval.catalogue import choose_metrics
from latentvision.eval.features import FeatureKind, load_features
from latentvision.eval.neighbours import Neighbours, find_neighbours
from latentvision.eval.picture_set import PictureSet, size_of_first
from latentvision.eval.scoring import Progress, score_pictures
from latentvision.eval.sets.inception_statistics import read_statistics


@dataclass(frozen=True)
class ScoreRequest:
    """The pictures, what to measure, and where results go; the CLI documents each."""

    samples: Path
    reference: Path | None = None
    reference_statistics: Path | None = None
    metrics: str = ""  # names between commas
    classifier: Path | None = None
    image_size: int | None = None
    max_samples: int | None = None
    max_reference: int | None = None
    neighbours: Path | None = None
    training: Path | None = None
    out: Path | None = None
    device: torch.device = CPU
    seed: int = 0


def score_request(request: ScoreRequest, progress: Progress | None = None) -> EvalReport:
    """Scores, and writes the report and the picture of neighbours if they are asked for.

    Raises:
        ConfigError: a name, or a part of the request that another one needs, is wrong or missing.
        DataError, InputError: pictures cannot be read.
    """
    metrics = choose_metrics(request.metrics.split(","))
    _check_targets(request)
    source = open_pictures(request.samples)
    size = request.image_size or size_of_first(source)
    samples = PictureSet(source, size, request.max_samples)
    reference = training = statistics = None
    if request.reference_statistics is not None:
        statistics = read_statistics(request.reference_statistics)
    if request.reference is not None:
        reference = PictureSet(open_pictures(request.reference), size, request.max_reference)
    if request.training is not None:
        training = PictureSet(open_pictures(request.training), size)
    report = score_pictures(
        samples,
        reference,
        metrics,
        classifier=request.classifier,
        statistics=statistics,
        device=request.device,
        seed=request.seed,
        progress=progress,
    )
    if request.out is not None:
        write_report(report, request.out)  # whatever becomes of the neighbours
    if request.neighbours is not None and training is not None:
        kind: FeatureKind = "classifier" if request.classifier else "efficientnet"
        found = _neighbours(request, samples, training, kind, progress)
        report.settings["neighbours"] = found.to_dict(kind)
        if request.out is not None:
            write_report(report, request.out)
        found.save(request.neighbours, kind)
    return report


def _neighbours(
    request: ScoreRequest,
    samples: PictureSet,
    training: PictureSet,
    kind: FeatureKind,
    progress: Progress | None,
) -> Neighbours:
    network = load_features(kind, request.classifier).to(request.device)
    return find_neighbours(samples, training, network, seed=request.seed, progress=progress)


def _check_targets(request: ScoreRequest) -> None:
    """Checks before any work that results can be written."""
    if (request.neighbours is None) != (request.training is None):
        raise ConfigError(
            "--neighbours OUT.png and --training PICTURES belong together; give both or neither"
        )
    if request.neighbours is not None:
        check_target(request.neighbours, suffix=".png")
    if request.out is not None:
        check_target(request.out, suffix=".json")
