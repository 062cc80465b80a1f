"""One extraction of latents: its configuration, and the source and tokenizer it joins."""

from pathlib import Path

from pydantic import Field

from latentspeech.core.config import Config
from latentvision.data.extract_latents import Progress, extract_latents
from latentvision.data.sources.config import SourceConfig, open_source


class ExtractionConfig(Config):
    """Which pictures are encoded, by which tokenizer, and how they are stored."""

    tokenizer_dir: Path = Field(description="model directory of the tokenizer")
    source: SourceConfig = Field(description="the pictures")
    out_dir: Path = Field(description="folder of the latent shards")
    flips: bool = Field(True, description="store the mirror image of each picture too")
    pictures_per_shard: int = Field(1000, ge=1, description="pictures a shard")
    batch_size: int = Field(64, ge=1, description="pictures encoded at once")
    skip_bad: bool = Field(False, description="leave unreadable pictures out, with a warning")


def run_extraction(
    config: ExtractionConfig, device: str, remake_command: str, progress: Progress | None = None
) -> None:
    """Makes the shards that are missing or damaged, then the statistics."""
    extract_latents(
        config.tokenizer_dir,
        open_source(config.source, config.skip_bad),
        config.out_dir,
        config.pictures_per_shard,
        progress=progress,
        flips=config.flips,
        device=device,
        batch_size=config.batch_size,
        skip_bad=config.skip_bad,
        remake_command=remake_command,
    )
