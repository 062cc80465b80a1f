"""A generator as a model directory: config.yaml, model.safetensors, README.md and tokenizer/.

The tokenizer is part of the directory, since a generator can only use latents of its own tokenizer.
"""

import shutil
from pathlib import Path
from typing import NamedTuple, Self

import torch
from pydantic import Field, model_validator

from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import CheckpointError
from latentspeech.core.storage.files import atomic_directory
from latentspeech.core.storage.model_directory import load_weights, read_model_config, write_model
from latentvision.generation.build import ModelConfig, build_generator
from latentvision.generation.generator import ImageGenerator, ImageSampling
from latentvision.generation.space import ImageSpace
from latentvision.tokenizer.model import Tokenizer
from latentvision.tokenizer.model_directory import load_tokenizer, tokenizer_hash

KIND = "image_generator"
TOKENIZER = "tokenizer"


class GeneratorConfig(Config):
    """Everything that a generator's config.yaml says."""

    space: ImageSpace = Field(description="grid of latents, number of classes")
    model: ModelConfig = Field(description="kind and sizes")
    class_names: tuple[str, ...] = Field(description="the classes by number")
    sampling: ImageSampling = Field(
        description="how images are drawn unless a command says otherwise"
    )
    tokenizer_hash: str = Field(description="hash of the tokenizer whose latents it draws")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.class_names) != self.space.num_classes:
            raise ValueError(
                f"{len(self.class_names)} class names for {self.space.num_classes} classes; "
                "expected one for each"
            )
        return self


class LoadedGenerator(NamedTuple):
    """A model directory in memory."""

    config: GeneratorConfig
    generator: ImageGenerator
    tokenizer: Tokenizer


def save_generator(
    generator: ImageGenerator,
    config: GeneratorConfig,
    tokenizer_dir: Path,
    directory: Path,
    card: str,
) -> None:
    """Packs a generator with its tokenizer; replaces `directory` as a whole."""
    with atomic_directory(directory) as temporary:
        shutil.copytree(tokenizer_dir, temporary / TOKENIZER)
        write_model(temporary, KIND, config, generator, card)


def read_generator_config(directory: Path) -> GeneratorConfig:
    """Reads config.yaml; CheckpointError if the folder holds something else."""
    values = read_model_config(directory, KIND)
    return parse_config(GeneratorConfig, values, origin=str(directory / "config.yaml"))


def load_generator(directory: Path, device: torch.device | str = "cpu") -> LoadedGenerator:
    """Reads a model directory, in float32 and evaluation mode.

    Raises:
        CheckpointError: the directory is damaged, or its tokenizer is another than the one that the
            generator was trained with.
    """
    config = read_generator_config(directory)
    found = tokenizer_hash(directory / TOKENIZER)
    if found != config.tokenizer_hash:
        raise CheckpointError(
            f"{directory}: the model draws latents of tokenizer {config.tokenizer_hash}, its own "
            f"is {found}; pack the model with the tokenizer it was trained on"
        )
    generator = build_generator(config.space, config.model)
    load_weights(directory, generator)
    tokenizer = load_tokenizer(directory / TOKENIZER)
    return LoadedGenerator(config, generator.float().to(device).eval(), tokenizer.to(device).eval())
