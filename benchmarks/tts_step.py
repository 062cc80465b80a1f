"""Measures how the time of a TTS step divides among backbone, diffusion head and codec decoder.

    python -m benchmarks.tts_step [--model DIR] [--threads 2]

Prints one JSON object with milliseconds per latent and the speed over real time, with and without
guidance. Without --model it times a model of the paper's size (1600x, 24 layers of 1024) with
random weights.
"""

import argparse
import json
from pathlib import Path

import torch

from benchmarks.lib.hardware import describe
from benchmarks.lib.timing import median_seconds
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import find_codec, load_codec_module
from latentspeech.codec.presets import codec_preset
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.tts.model import SPEECH, TTSModelConfig, latent_lm_config
from latentspeech.tts.model_directory import load_lm

PREFIX = 200  # positions before the step: a prompt of 5 s, its text and a sentence


def load(model: Path | None) -> tuple[LatentLM, Codec]:
    """Loads a trained model, or makes one of the paper's size with random weights."""
    if model is not None:
        return load_lm(model), load_codec_module(find_codec(model))
    codec = Codec(codec_preset(1600))
    return LatentLM(latent_lm_config(TTSModelConfig(), 512, codec.config.latent_dim)).eval(), codec


def measure(
    lm: LatentLM, codec: Codec, rows: int, num_steps: int, repeats: int
) -> dict[str, float]:
    """Measures the milliseconds of each part for one latent; two rows mean guidance."""
    width = lm.config.backbone.model_dim
    size = codec.config.latent_dim
    prefix, one = torch.randn(rows, PREFIX, width), torch.randn(rows, 1, width)
    cache = lm.backbone.init_state(rows, PREFIX + 8 * repeats + 8)
    lm.backbone.step(prefix, cache)
    hidden, noise = torch.randn(1, width), torch.randn(1, size)
    uncond = torch.randn(1, width) if rows == 2 else None
    sampling = LatentSampling(cfg_scale=2.0 if rows == 2 else 1.0, num_steps=num_steps)
    latent = torch.randn(1, 1, size)
    state = codec.init_decode_state(1)
    diffusion = lm.diffusion(SPEECH)
    seconds = median_seconds(
        {
            "backbone_ms": lambda: lm.backbone.step(one, cache),
            "head_ms": lambda: diffusion.sample(hidden, noise, uncond, sampling),
            "decoder_ms": lambda: codec.decode_step(latent, state),
        },
        repeats,
    )
    parts = {name: round(1000 * value, 3) for name, value in seconds.items()}
    total = sum(seconds.values())
    return parts | {
        "total_ms": round(1000 * total, 3),
        "x_real_time": round(1 / (total * codec.config.frame_rate), 2),
    }


def main() -> None:
    """Runs the benchmark and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--num-steps", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    lm, codec = load(arguments.model)
    with torch.inference_mode():
        results = {
            name: measure(lm, codec, rows, arguments.num_steps, arguments.repeats)
            for name, rows in (("no guidance", 1), ("guidance", 2))
        }
    model = str(arguments.model) if arguments.model else "paper size, random weights"
    print(json.dumps({"hardware": describe(), "model": model, "results": results}, indent=2))


if __name__ == "__main__":
    main()
