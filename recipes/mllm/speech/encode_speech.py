"""Turns the recordings of pages into latent shards with a codec; an item's id is the name in pages.

Shards that are there and whole stay, so a killed call goes on.
"""

import argparse
import hashlib
from pathlib import Path

import torch

import latentspeech
from latentspeech.audio.io import read_audio
from latentspeech.codec.model_directory import codec_hash
from latentspeech.core.command import run_recipe
from latentspeech.core.data.latent_format import LatentItem, LatentMeta
from latentspeech.core.data.latent_shards import LatentShardWriter
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.data.speech_latents import rates_of, speech_item
from recipes.lib.progress_log import ProgressLog
from recipes.mllm.speech.folders import SPEECH, recordings

_SHARD_SIZE = 1000


def encode_speech(pages: Path, codec_dir: Path, out: Path) -> None:
    """Writes the shards of all recordings, and the statistics.

    Raises:
        InputError: a recording cannot be read.
        DataError: there are no recordings, or `out` holds latents of others.
    """
    names, codec = recordings(pages), latentspeech.load_codec(codec_dir)
    config = codec.config
    meta = LatentMeta(
        vae_hash=codec_hash(codec_dir),
        source_hash=hashlib.sha256("\n".join(names).encode()).hexdigest()[:16],
        latent_dim=config.latent_dim,
        posterior_kind=config.posterior.kind,
        sigma_std=config.posterior.sigma_std,
        shard_size=_SHARD_SIZE,
        num_items=len(names),
        remake_command=f"python -m recipes.mllm.speech.encode_speech --pages {pages} --out {out}",
        modality=rates_of(config),
    )
    writer = LatentShardWriter(out, meta)
    progress = ProgressLog("speech", "recordings")
    for shard in range(meta.num_shards):
        own = names[shard * _SHARD_SIZE : (shard + 1) * _SHARD_SIZE]
        if not writer.is_complete(shard):
            items: list[LatentItem] = []
            latents: dict[str, torch.Tensor] = {}
            for name in own:
                audio = read_audio(pages / SPEECH / name, config.sample_rate)  # (T,)
                latents[name] = torch.from_numpy(codec.encode(audio[None])[0])  # (F, D)
                seconds = len(audio) / config.sample_rate
                items.append(speech_item(name, "", "", len(latents[name]), seconds))
            writer.write(shard, items, latents)
        progress(shard * _SHARD_SIZE + len(own), len(names))
    write_statistics(out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, required=True, help="folder of the pages")
    parser.add_argument("--codec", default="", help="codec; the one that ships if empty")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    a = parser.parse_args()
    encode_speech(a.pages, latentspeech.find_codec(a.codec or None), a.out)


if __name__ == "__main__":
    run_recipe(main)
