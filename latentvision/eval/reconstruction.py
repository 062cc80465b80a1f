"""How well a tokenizer copies pictures: PSNR and SSIM of each, and distances of the whole set.

Copies are decoded from the means, without noise. B images, S image size.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.errors import InputError
from latentspeech.core.eval.report import EvalReport, Failure, ItemResult, MetricResult
from latentspeech.core.eval.scorer import MetricUnavailable, Score
from latentspeech.core.eval.statistics import CONFIDENCE, NUM_RESAMPLES
from latentspeech.core.eval.summary import summarise
from latentspeech.core.provenance import describe_run
from latentvision.data.sources.config import SourceConfig, open_source
from latentvision.data.sources.source import ImageSource
from latentvision.eval.features import TITLES, FeatureKind, load_features
from latentvision.eval.frechet import FrechetDistance, ImageSet, frechet_hole
from latentvision.eval.image_scorer import ImageScorer, Psnr, Ssim
from latentvision.images.transforms import center_crop, to_tensor
from latentvision.tokenizer.model import Tokenizer
from latentvision.tokenizer.model_directory import load_tokenizer, tokenizer_hash

Progress = Callable[[int, int], None]

_VERSIONS = ("torch", "torch-fidelity", "pytorch-msssim", "Pillow")


class ReconstructionConfig(Config):
    """Which pictures are copied by which tokenizer, and what is measured."""

    tokenizer_dir: Path = Field(description="model directory of the tokenizer")
    source: SourceConfig = Field(description="pictures that it was not trained on")
    max_images: int = Field(50_000, ge=2, description="pictures to copy, the first of the source")
    distances: tuple[FeatureKind, ...] = Field(
        ("inception", "efficientnet"), description="networks for distances of the whole set"
    )
    batch_size: int = Field(32, ge=1, description="pictures copied at once")
    seed: int = Field(0, ge=0, description="seed of the intervals")


def score_reconstruction(
    config: ReconstructionConfig,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> EvalReport:
    """Copies the pictures and measures the copies.

    A distance whose network is not on this machine, or that needs more pictures, is a hole.
    """
    started = time.monotonic()
    tokenizer = load_tokenizer(config.tokenizer_dir).to(device)
    copies = _Copies(config, open_source(config.source), tokenizer, progress)
    distances = [_distance(kind, copies, device) for kind in config.distances]
    if not copies.done:
        for _ in copies.copied():
            pass  # no distance went through the copies
    seed, resamples = config.seed, NUM_RESAMPLES
    single = [
        summarise(
            scorer,
            copies.items,
            {},
            key=scorer.name.lower(),
            description=scorer.describe(),
            hole=None,
            seed=seed,
            num_resamples=resamples,
        )
        for scorer in copies.scorers
    ]
    return EvalReport(
        metrics=[*single, *distances],
        items=copies.items,
        failures=copies.failures,
        settings={
            "seed": seed,
            "num_resamples": resamples,
            "confidence": CONFIDENCE,
            "tokenizer": str(config.tokenizer_dir),
            "tokenizer_hash": tokenizer_hash(config.tokenizer_dir),
            "source": config.source.model_dump(mode="json"),
        },
        run=describe_run(time.monotonic() - started, 1, _VERSIONS),
        item_name="image",
        group_name="class",
    )


class _Copies:
    """The pictures, their copies, and the scores of each, which `copied` fills."""

    def __init__(
        self,
        config: ReconstructionConfig,
        source: ImageSource,
        tokenizer: Tokenizer,
        progress: Progress | None,
    ) -> None:
        self._source = source
        self._tokenizer = tokenizer
        self._batch_size = config.batch_size
        self._progress = progress
        self._indices: list[int] = []
        for number in range(source.num_shards):
            self._indices += source.shard(number)[: config.max_images - len(self._indices)]
            if len(self._indices) == config.max_images:
                break
        self.scorers: list[ImageScorer] = [Psnr(), Ssim()]
        for scorer in self.scorers:
            scorer.prepare()
        self.items: list[ItemResult] = []
        self.failures: list[Failure] = []

    def __str__(self) -> str:
        return str(self._source)

    @property
    def done(self) -> bool:
        """Whether all copies were made and scored."""
        return len(self.items) == len(self._indices)

    def originals(self) -> Iterator[Tensor]:
        """Batches (B, 3, S, S) of the pictures."""
        for start in range(0, len(self._indices), self._batch_size):
            batch = self._indices[start : start + self._batch_size]
            yield torch.stack([self._image(index) for index in batch])

    @torch.inference_mode()
    def copied(self) -> Iterator[Tensor]:
        """Batches (B, 3, S, S) of the copies; scores each when it is first made."""
        scored = self.done
        for number, images in enumerate(self.originals()):
            copies = self._tokenizer.decode(
                self._tokenizer.encode(images.to(self._tokenizer.device))
            ).cpu()
            if not scored:
                start = number * self._batch_size
                for place, (image, copy) in enumerate(zip(images, copies, strict=True), start):
                    self.items.append(self._score(self._indices[place], image, copy))
                if self._progress is not None:
                    self._progress(len(self.items), len(self._indices))
            yield copies

    def _image(self, index: int) -> Tensor:
        picture = self._source.picture(index)
        return to_tensor(center_crop(picture, self._tokenizer.config.image_size))

    def _score(self, index: int, image: Tensor, copy: Tensor) -> ItemResult:
        record, names = self._source.record(index), self._source.class_names
        scores: dict[str, Score] = {}
        for scorer in self.scorers:
            try:
                scores[scorer.name] = scorer.score(image, copy)
            except InputError as error:
                self.failures.append(Failure(record.id, scorer.name, str(error)))
        group = None
        if record.label is not None:
            known = record.label < len(names)
            group = names[record.label] if known else str(record.label)
        return ItemResult(record.id, hypothesis="copy", group=group, scores=scores)


def _distance(kind: FeatureKind, copies: _Copies, device: torch.device | str) -> MetricResult:
    try:
        features = load_features(kind)
    except MetricUnavailable as error:
        return frechet_hole(TITLES[kind], error)
    name = f"the originals, {copies}"
    try:
        distance = FrechetDistance(features, ImageSet(name, copies.originals()), device)
        return distance.measure(ImageSet("their copies", copies.copied()), key=f"fd_{kind}")
    except (MetricUnavailable, InputError) as error:
        return frechet_hole(features.title, error)
