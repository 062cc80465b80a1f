"""A TTS run on a few random latents that takes a second, for tests of the files of a run."""

import math
from pathlib import Path
from typing import Any

import torch

from latentspeech.codec.model_directory import codec_hash
from latentspeech.core.config import parse_config
from latentspeech.core.data.latent_shards import LatentMeta, LatentShardWriter
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.data.speech_latents import speech_item
from latentspeech.training.tts_run import TTSRunConfig, run_tts
from latentspeech.tts.model import LayoutKind
from tests.tiny_models import CODEC, MODEL, SAMPLING

FRAME_RATE = 15


def write_latents(folder: Path, codec_dir: Path, num_items: int = 6) -> None:
    """Writes random latents of one speaker; each text's symbols have equal durations."""
    meta = LatentMeta(
        vae_hash=codec_hash(codec_dir),
        source_hash="d",
        latent_dim=CODEC.latent_dim,
        modality={"sample_rate": CODEC.sample_rate, "hop_length": math.prod(CODEC.encoder.strides)},
        posterior_kind="per_example",
        sigma_std=0.1,
        shard_size=100,
        num_items=num_items,
        remake_command="make them",
    )
    items, latents = [], {}
    generator = torch.Generator().manual_seed(num_items)
    for number in range(num_items):
        text, frames = f"text {'abcdef'[number]}", 8 + number
        ends = tuple(frames / FRAME_RATE * (i + 1) / len(text) for i in range(len(text)))
        items.append(speech_item(f"u{number}", "ann", text, frames, frames / FRAME_RATE, ends))
        latents[f"u{number}"] = torch.randn(frames, CODEC.latent_dim, generator=generator)
    LatentShardWriter(folder, meta).write(0, items, latents)
    write_statistics(folder)


def run_tiny(
    exp_dir: Path, model: Path, max_steps: int, layout: LayoutKind = "sentence", **settings: Any
) -> TTSRunConfig:
    """Trains from the weights of `model` (tests/tiny_models.py); makes latents beside it once."""
    for part, count in (("train", 6), ("dev", 2)):
        folder = model.parent / "latents" / part
        if not folder.is_dir():
            folder.mkdir(parents=True)
            write_latents(folder, model / "codec", count)
    values = {
        "exp_dir": exp_dir,
        "codec_dir": model / "codec",
        "tokenizer_dir": model / "tokenizer",
        "latents_dir": str(model.parent / "latents/train"),
        "valid_latents_dir": str(model.parent / "latents/dev"),
        "start_from": model,
        "model": MODEL.model_copy(update={"layout": layout}).model_dump(),
        "optimizer": {"lr": 1e-2},
        "sampling": SAMPLING.model_dump(),
        "data": {"max_total_latents": 30, "max_batch_size": 3, "num_buckets": 1},
        "train": {"max_steps": max_steps, "log_every": 1, "ema_decay": 0.5},
    }
    run = parse_config(TTSRunConfig, {**values, **settings})
    run_tts(run)
    return run
