"""Writes the averaged weights of a codec run as a model directory."""

import argparse
from pathlib import Path

from latentspeech.cli.run_codec import CodecRunConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import save_codec
from latentspeech.core.config import load_config
from latentspeech.core.files import atomic_directory
from recipes.averaged_weights import Provenance, load_averaged
from recipes.one_line_errors import run_recipe


def export_codec(exp_dir: Path, out: Path) -> None:
    """The newest checkpoint of `exp_dir` to the model directory `out`."""
    run = load_config(CodecRunConfig, exp_dir / "config.yaml")
    codec = Codec(run.codec)
    state = load_averaged(exp_dir, codec)
    with atomic_directory(out) as temporary:
        save_codec(codec, temporary, codec_card(codec, Provenance("codec run", state)))


def codec_card(codec: Codec, provenance: Provenance) -> str:
    """The model card."""
    config = codec.config
    millions = sum(parameter.numel() for parameter in codec.parameters()) / 1e6
    return (
        f"# sigma-VAE speech codec, {config.hop_length}x / {config.latent_dim}\n\n"
        f"{config.sample_rate} Hz mono, {config.frame_rate:g} latents of {config.latent_dim} "
        f"channels a second, {millions:.1f} million parameters, causal both ways.\n\n"
        f"{provenance.line()}\n"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    export_codec(arguments.exp_dir, arguments.out)


if __name__ == "__main__":
    run_recipe(main)
