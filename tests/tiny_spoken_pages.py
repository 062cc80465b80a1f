"""Pages of text, pictures and speech with made-up latents of speech, for tests."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.config import parse_config
from latentspeech.core.data.latent_format import LatentItem, LatentMeta
from latentspeech.core.data.latent_shards import LatentShardWriter
from latentspeech.core.data.latent_statistics import write_statistics
from latentvision.mllm.models.latent_lm import MultimodalLMConfig, SpeechConfig
from latentvision.training.mllm_run import PageRunConfig
from tests.tiny_multimodal import TINY
from tests.tiny_page_models import tiny_run
from tests.tiny_pages import make_pictures, write_lines

SPEECH_DIM = 3
CODEC_HASH = "0123456789abcdef"
SPOKEN: MultimodalLMConfig = TINY.model_copy(
    update={"speech": SpeechConfig(latent_dim=SPEECH_DIM, head_layers=2, head_ffn_dim=48)}
)


def write_speech(folder: Path, latents: dict[str, Tensor], sigma_std: float = 0.1) -> Path:
    """Shards of the means (T, 3) of recordings by their names."""
    meta = LatentMeta(
        vae_hash=CODEC_HASH,
        source_hash="tiny",
        latent_dim=SPEECH_DIM,
        posterior_kind="fixed",
        sigma_std=sigma_std,
        dtype="float32",
        shard_size=3,
        num_items=len(latents),
        remake_command="none",
    )
    writer = LatentShardWriter(folder, meta)
    names = list(latents)
    for shard in range(meta.num_shards):
        own = names[3 * shard : 3 * shard + 3]
        items = [LatentItem(name, len(latents[name])) for name in own]
        writer.write(shard, items, {name: latents[name] for name in own})
    write_statistics(folder)
    return folder


def random_speech(lengths: dict[str, int]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {n: torch.randn(count, SPEECH_DIM, generator=generator) for n, count in lengths.items()}


def spoken_rows(count: int) -> list[dict[str, Any]]:
    """Pages of a text, a picture and speech, in turns of orders."""
    rows = []
    for n in range(count):
        parts = [{"text": f"the cat {n}"}, {"picture": f"{n % 4}.png"}, {"speech": f"{n % 4}.wav"}]
        rows.append({"parts": parts[n % 3 :] + parts[: n % 3]})
    return rows


def spoken_run(folder: Path, max_steps: int = 4) -> PageRunConfig:
    """A run on text, pairs, interleaved pages and spoken ones."""
    values = tiny_run(folder, "latent_lm", max_steps).model_dump()
    make_pictures(folder / "pictures")
    location = write_lines(folder / "spoken", spoken_rows(12))
    pages = {"kind": "jsonl", "location": str(location), "pictures": folder / "pictures"}
    shards = folder / "speech"
    if not shards.exists():
        write_speech(shards, random_speech({f"{n}.wav": 5 + n for n in range(4)}))
    values["data"]["train_sources"] = [*values["data"]["train_sources"], {"pages": pages}]
    values["data"]["valid_sources"] = [pages]
    values |= {
        "exp_dir": folder / "exp-spoken",
        "model": SPOKEN.model_dump(),
        "speech_latents": shards,
    }
    return parse_config(PageRunConfig, values)
