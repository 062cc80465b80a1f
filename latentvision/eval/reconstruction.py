"""How well a tokenizer copies pictures: each against its original, and distances of the whole set.

Copies are decoded from the means, without noise. B images, S image size.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.eval.report import EvalReport
from latentvision.data.sources.config import SourceConfig, open_source
from latentvision.data.sources.source import ImageSource
from latentvision.eval.catalogue import choose_metrics
from latentvision.eval.picture_set import Batch, PictureSet
from latentvision.eval.scoring import Progress, score_pictures
from latentvision.tokenizer.model import Tokenizer
from latentvision.tokenizer.model_directory import load_tokenizer, tokenizer_hash


class ReconstructionConfig(Config):
    """Which pictures are copied by which tokenizer, and what is measured."""

    tokenizer_dir: Path = Field(description="model directory of the tokenizer")
    source: SourceConfig = Field(description="pictures that it was not trained on")
    max_images: int = Field(50_000, ge=2, description="pictures to copy, the first of the source")
    metrics: tuple[str, ...] = Field(
        ("psnr", "ssim", "lpips", "fid", "fd-efficientnet"),
        description="names that `latentvision score --list-metrics` shows",
    )
    classifier: Path | None = Field(
        None, description="directory of the classifier, for metrics that need one"
    )
    batch_size: int = Field(32, ge=1, description="pictures copied at once")
    seed: int = Field(0, ge=0, description="seed of the intervals")


def score_reconstruction(
    config: ReconstructionConfig,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> EvalReport:
    """Copies the pictures and measures the copies.

    A metric whose network is not on this machine, or that needs more pictures, is a hole.
    """
    metrics = choose_metrics(config.metrics)
    tokenizer = load_tokenizer(config.tokenizer_dir).to(device)
    source, size = open_source(config.source), tokenizer.config.image_size
    return score_pictures(
        Copies(source, size, config.max_images, config.batch_size, tokenizer),
        PictureSet(source, size, config.max_images, config.batch_size),
        metrics,
        classifier=config.classifier,
        device=device,
        seed=config.seed,
        settings={
            "tokenizer": str(config.tokenizer_dir),
            "tokenizer_hash": tokenizer_hash(config.tokenizer_dir),
            "source": config.source.model_dump(mode="json"),
        },
        progress=progress,
    )


class Copies(PictureSet):
    """A tokenizer's copies of the pictures of a source."""

    def __init__(
        self,
        source: ImageSource,
        image_size: int,
        max_pictures: int | None,
        batch_size: int,
        tokenizer: Tokenizer,
    ) -> None:
        super().__init__(source, image_size, max_pictures, batch_size)
        self._tokenizer = tokenizer

    def __str__(self) -> str:
        return f"copies of {self.source}"

    @torch.inference_mode()
    def batches(self, unreadable: dict[int, str] | None = None) -> Iterator[Batch]:
        """The copies of all pictures in order."""
        tokenizer = self._tokenizer
        for batch in super().batches(unreadable):
            latents = tokenizer.encode(batch.images.to(tokenizer.device))
            yield Batch(batch.indices, tokenizer.decode(latents).cpu())
