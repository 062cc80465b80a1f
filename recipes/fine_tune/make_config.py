"""Writes the configuration of a run that goes on from a model directory: sizes and training.

python -m recipes.fine_tune.make_config --model DIR --base BASE.yaml --out finetune.yaml
"""

import argparse
from pathlib import Path

import yaml

from latentspeech.codec.model_directory import find_codec
from latentspeech.core.command import run_recipe
from latentspeech.core.config import merge, read_yaml
from latentspeech.core.storage.files import atomic_path
from latentspeech.tts.model import SPEECH, SpeechLMConfig, TTSModelConfig
from latentspeech.tts.model_directory import read_tts_config


def model_settings(config: SpeechLMConfig) -> TTSModelConfig:
    """The settings that give a run a model of the same sizes."""
    speech = config.modalities[SPEECH]
    return TTSModelConfig(
        layout=config.layout,
        neighbours=config.neighbours,
        backbone=config.backbone,
        head_layers=speech.head_layers,
        head_ffn_dim=speech.head_ffn_dim,
        diffusion=speech.diffusion,
        diffusion_weight=speech.diffusion_weight,
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="TTS model directory")
    parser.add_argument("--base", type=Path, required=True, help="YAML of how it is trained")
    parser.add_argument("--out", type=Path, required=True, help="YAML to write")
    arguments = parser.parse_args()
    directory = arguments.model
    config = read_tts_config(directory)
    values = {
        "start_from": str(directory),
        "codec_dir": str(find_codec(directory)),
        "tokenizer_dir": str(directory / "tokenizer"),
        "sampling": config.sampling.model_dump(mode="json"),
        "model": model_settings(config).model_dump(mode="json"),
    }
    if config.max_prompt_s is not None:
        values["data"] = {"max_prompt_s": config.max_prompt_s}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(arguments.out) as temporary:
        text = yaml.safe_dump(merge(read_yaml(arguments.base), values), sort_keys=False)
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_recipe(main)
