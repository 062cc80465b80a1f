"""Joins neighbouring latents of a trained codec into one: a lower frame rate without training.

    python -m recipes.codec.group --codec latentspeech/models/codec --frames 2 --out exp/codec_7.5hz

The weights and thus the copies stay the same; with `--frames` n there are n times fewer latents of
n times the dimension. So a language model can be tried at another frame rate on the same codec.
"""

import argparse
from pathlib import Path

from latentspeech.codec.config import CodecConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import load_codec_module, save_codec
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError
from latentspeech.core.storage.files import atomic_directory


def grouped(codec: Codec, frames: int) -> Codec:
    """The codec whose latents each hold `frames` latents of `codec`."""
    if frames < 1:
        raise ConfigError(f"--frames {frames}; expected 1 or more")
    values = codec.config.model_dump()
    values["latent_dim"] *= frames
    values["frames_per_latent"] *= frames
    joined = Codec(CodecConfig.model_validate(values)).eval()
    joined.load_state_dict(codec.state_dict())
    return joined


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--codec", type=Path, required=True, help="model directory")
    parser.add_argument("--frames", type=int, required=True, help="latents that become one")
    parser.add_argument("--out", type=Path, required=True, help="model directory to write")
    options = parser.parse_args()
    codec = grouped(load_codec_module(options.codec), options.frames)
    card = (
        f"# sigma-VAE speech codec, {codec.config.hop_length}x / {codec.config.latent_dim}\n\n"
        f"Each latent is {options.frames} of the codec in {options.codec}, whose card says the "
        "rest: data, licences, scores, limits and uses it is not meant for.\n"
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_directory(options.out) as temporary:
        save_codec(codec, temporary, card)


if __name__ == "__main__":
    run_recipe(main)
