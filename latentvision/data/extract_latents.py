"""Turns pictures into latent shards: a tokenizer's means of each picture and its mirror image.

It can be resumed shard by shard. Several processes share the work: shard s belongs to rank
s % world_size. When all are done, `write_statistics` (core/data/latent_statistics.py) adds what a
generator normalises by.

B images, N latents, D latent dimension.
"""

import hashlib
import logging
import math
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from latentspeech.core.data.latent_format import LatentMeta
from latentspeech.core.data.latent_shards import LatentShardWriter
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.kl_vae import LearnedPosterior
from latentvision.data.image_latents import facts_of, image_item
from latentvision.data.sources.source import ImageSource
from latentvision.images.transforms import center_crop, flip, to_tensor
from latentvision.tokenizer.model import Tokenizer
from latentvision.tokenizer.model_directory import load_tokenizer, tokenizer_hash
from latentvision.tokenizer.posterior import LearnedPosteriorConfig, VQConfig

logger = logging.getLogger(__name__)

# If this many pictures in a row cannot be read, the disk is gone, not the files.
_DISK_IS_GONE_PICTURES = 50
# A learned variance is measured on the first pictures.
_MEASURED_PICTURES = 256

Progress = Callable[[int, int], None]


class _Noise(NamedTuple):
    """The noise by which a generator makes z from stored means."""

    kind: Literal["per_example", "fixed"]
    sigma_std: float


def extract_latents(
    tokenizer_dir: Path,
    source: ImageSource,
    out_dir: Path,
    pictures_per_shard: int = 1000,
    rank: int = 0,
    world_size: int = 1,
    progress: Progress | None = None,
    *,
    flips: bool = True,
    device: torch.device | str = "cpu",
    batch_size: int = 64,
    skip_bad: bool = False,
    remake_command: str = "the command that extracted them",
) -> None:
    """Makes the shards of this rank that are missing or damaged.

    A single process writes the statistics as well. The latents of a VQ tokenizer are its codes'
    vectors, in float32, so that the nearest code of each is found again.

    Args:
        tokenizer_dir: model directory of the tokenizer.
        source: the pictures.
        out_dir: folder of the shards; one of other pictures or another tokenizer is refused.
        pictures_per_shard: a process that is killed loses at most one shard.
        rank: number of this process, from 0.
        world_size: number of processes; after several, call `write_statistics` once.
        progress: called with (pictures done, pictures of this rank).
        flips: store the mirror image of each picture too.
        device: where the tokenizer runs.
        batch_size: pictures encoded at once.
        skip_bad: give unreadable pictures no latents and name them in a warning, instead of
            raising DataError.
        remake_command: the command that errors about a damaged shard suggest.
    """
    if not 0 <= rank < world_size:
        raise ConfigError(
            f"rank is {rank} of {world_size} processes; expected 0 to {world_size - 1}"
        )
    tokenizer = load_tokenizer(tokenizer_dir).to(device)
    pictures = _Pictures(source, tokenizer, batch_size, skip_bad)
    config, copies = tokenizer.config, 2 if flips else 1
    noise = _noise(tokenizer, pictures)
    meta = LatentMeta(
        vae_hash=tokenizer_hash(tokenizer_dir),
        source_hash=pictures.source_hash,
        latent_dim=config.latent_dim,
        posterior_kind=noise.kind,
        sigma_std=noise.sigma_std,
        dtype="float32" if isinstance(config.posterior, VQConfig) else "float16",
        shard_size=pictures_per_shard * copies,
        num_items=len(pictures.indices) * copies,
        remake_command=remake_command,
        modality=facts_of(config, pictures.class_names, flips),
    )
    writer = LatentShardWriter(out_dir, meta)
    own_shards = range(rank, meta.num_shards, world_size)
    total, done = sum(meta.shard_length(shard) // copies for shard in own_shards), 0
    for shard in own_shards:
        first = shard * pictures_per_shard
        part = pictures.indices[first : first + pictures_per_shard]
        if not writer.is_complete(shard):
            _write_shard(writer, shard, part, pictures, flips)
        done += len(part)
        if progress is not None:
            progress(done, total)
    if world_size == 1 and not (out_dir / "stats.safetensors").exists():
        write_statistics(out_dir)


class _Pictures:
    """The pictures of a source in its order, and their latents."""

    def __init__(
        self, source: ImageSource, tokenizer: Tokenizer, batch_size: int, skip_bad: bool
    ) -> None:
        self.source = source
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self._skip_bad = skip_bad
        self.indices = array("q")
        digest, num_classes = hashlib.sha256(), len(source.class_names)
        for number in range(source.num_shards):
            for index in source.shard(number):
                record = source.record(index)
                self.indices.append(index)
                digest.update(repr(record).encode())
                num_classes = max(num_classes, (-1 if record.label is None else record.label) + 1)
        self.source_hash = digest.hexdigest()[:16]
        known = list(source.class_names)
        self.class_names = [*known, *map(str, range(len(known), num_classes))]
        if not self.indices:
            raise DataError(f"{source} has no pictures; give another source")

    def images(self, indices: Sequence[int]) -> dict[int, Tensor]:
        """Index -> image (3, S, S), without those that cannot be read."""
        found = {}
        for index in indices:
            try:
                picture = self.source.picture(index)
            except DataError as error:
                if not self._skip_bad:
                    raise
                logger.warning("no latents: %s", error)
                continue
            found[index] = to_tensor(center_crop(picture, self.tokenizer.config.image_size))
        return found

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) -> means (B, N, D)."""
        return self.tokenizer.encode(images.to(self.tokenizer.device)).cpu()


def _write_shard(
    writer: LatentShardWriter, shard: int, part: Sequence[int], pictures: _Pictures, flips: bool
) -> None:
    items, latents = [], {}
    num_read = 0
    for start in range(0, len(part), pictures.batch_size):
        batch = part[start : start + pictures.batch_size]
        found = pictures.images(batch)
        num_read += len(found)
        images = torch.stack([*found.values()]) if found else None  # (B, 3, S, S)
        for flipped in (False, True) if flips else (False,):
            rows: dict[int, Tensor] = {}
            if images is not None:
                mus = pictures.encode(flip(images) if flipped else images)
                rows = dict(zip(found, mus, strict=True))
            for index in batch:
                mu = rows.get(index)
                record = pictures.source.record(index)
                item = image_item(record, 0 if mu is None else len(mu), flipped)
                items.append(item)
                if mu is not None:
                    latents[item.id] = mu
    if not num_read and len(part) >= _DISK_IS_GONE_PICTURES:
        raise DataError(
            f"none of the {len(part)} pictures of shard {shard} can be read (first: "
            f"{items[0].id}); see that the disk with the pictures is there, then run the same "
            "command again"
        )
    names = [item.id for item in items]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"{pictures.source} has two pictures named {twice}; expected a name of its own for "
            "each: rename one"
        )
    writer.write(shard, items, latents)


def _noise(tokenizer: Tokenizer, pictures: _Pictures) -> _Noise:
    """The posterior's noise; of a learned variance, its mean over the first pictures."""
    match tokenizer.config.posterior:
        case SigmaVAEConfig() as config:
            return _Noise(config.kind, config.sigma_std)
        case VQConfig():
            return _Noise("fixed", 0.0)
        case LearnedPosteriorConfig():
            found = pictures.images(pictures.indices[:_MEASURED_PICTURES])
            if not found:
                raise DataError(
                    f"none of the first {_MEASURED_PICTURES} pictures of {pictures.source} can be "
                    "read; see that the disk with the pictures is there"
                )
            variances = []
            with torch.inference_mode():
                for images in torch.split(torch.stack([*found.values()]), pictures.batch_size):
                    encoded = tokenizer.encoder(images.to(tokenizer.device))
                    posterior = LearnedPosterior.from_encoder(encoded, tokenizer.config.latent_dim)
                    variances.append(posterior.log_variance.exp().flatten())
            # Rounded, so that a resumed extraction on another machine has the same number.
            return _Noise("fixed", float(f"{math.sqrt(torch.cat(variances).mean()):.3g}"))
