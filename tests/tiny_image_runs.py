"""Runs of tiny generators of images on a few random latents, for tests of the files of a run."""

from pathlib import Path
from typing import Any

import torch

from latentspeech.core.config import parse_config
from latentspeech.core.data.latent_shards import LatentMeta, LatentShardWriter
from latentspeech.core.data.latent_statistics import write_statistics
from latentvision.data.image_latents import facts_of, image_item
from latentvision.data.sources.source import ImageRecord
from latentvision.tokenizer.model_directory import (
    load_tokenizer,
    read_tokenizer_config,
    tokenizer_hash,
)
from latentvision.training.generator_run import GeneratorRunConfig, run_generator
from tests.tiny_generators import CONFIGS
from tests.tiny_tokenizer import make_tokenizer_directory, random_images

CLASS_NAMES = ("sneaker", "ankle boot", "t-shirt")


def write_latents(folder: Path, tokenizer_dir: Path, count: int = 10, shard_size: int = 4) -> None:
    """Encodes random images, whose classes repeat."""
    config = read_tokenizer_config(tokenizer_dir)
    meta = LatentMeta(
        vae_hash=tokenizer_hash(tokenizer_dir),
        source_hash="d",
        latent_dim=config.latent_dim,
        posterior_kind="fixed",
        sigma_std=0.0 if config.posterior.kind == "vq" else 0.5,
        dtype="float32",
        shard_size=shard_size,
        num_items=count,
        remake_command="make them",
        modality=facts_of(config, CLASS_NAMES, flips=False),
    )
    writer = LatentShardWriter(folder, meta)
    with torch.no_grad():
        mus = load_tokenizer(tokenizer_dir).encode(random_images(count, config.image_size))
    for shard in range(meta.num_shards):
        numbers = range(shard * shard_size, shard * shard_size + meta.shard_length(shard))
        records = [ImageRecord(f"image-{number}", number % 3) for number in numbers]
        items = [image_item(record, config.num_latents, False) for record in records]
        writer.write(shard, items, {f"image-{number}": mus[number] for number in numbers})
    write_statistics(folder)


def tiny_run(folder: Path, kind: str, max_steps: int = 4, **train: Any) -> GeneratorRunConfig:
    """The configuration of a run in `folder`, whose tokenizer and latents are made once."""
    name = "vq" if kind == "vq" else "per_example"
    tokenizer_dir = folder / f"tokenizer-{name}-0"
    latents = folder / f"latents-{name}"
    if not tokenizer_dir.is_dir():
        make_tokenizer_directory(folder, name)
        write_latents(latents, tokenizer_dir)
    values = {
        "exp_dir": folder / f"exp-{kind}",
        "tokenizer_dir": tokenizer_dir,
        "latents_dir": str(latents),
        "valid_latents_dir": str(latents),
        "model": CONFIGS[kind].model_dump(),
        "data": {"batch_size": 4, "window_shards": 2},
        "optimizer": {"lr": 2e-3, "betas": (0.9, 0.98), "weight_decay": 0.1},
        "train": {"max_steps": max_steps, "log_every": 1, "checkpoint_every": 2} | train,
    }
    return parse_config(GeneratorRunConfig, values)


def train_tiny(folder: Path, kind: str, max_steps: int = 4, **train: Any) -> GeneratorRunConfig:
    run = tiny_run(folder, kind, max_steps, **train)
    run_generator(run)
    return run
