"""A model of pages as a model directory: config.yaml, model.safetensors, README.md and tokenizers.

The image tokenizer is the folder picture_tokenizer/, the text tokenizer is one file.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import Field

from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import CheckpointError
from latentspeech.core.storage.files import atomic_directory
from latentspeech.core.storage.model_directory import load_weights, read_model_config, write_model
from latentvision.mllm.models.build import (
    PageModelConfig,
    build_encoder,
    build_page_model,
    space_of,
)
from latentvision.mllm.models.page_model import PageModel
from latentvision.mllm.models.sampling import PageSampling
from latentvision.mllm.sequence import PageSequences
from latentvision.mllm.tokens.config import (
    TextTokenizerConfig,
    copy_text_tokenizer,
    find_text_tokenizer,
    open_text_tokenizer,
)
from latentvision.tokenizer.model import Tokenizer
from latentvision.tokenizer.model_directory import load_tokenizer, tokenizer_hash

KIND = "page_model"
PICTURE_TOKENIZER = "picture_tokenizer"


class PageModelDescription(Config):
    """Everything that the config.yaml of a model of pages says."""

    model: PageModelConfig = Field(description="kind and sizes")
    row_length: int = Field(ge=2, description="elements of the rows that it was trained on")
    sampling: PageSampling = Field(description="how it draws and writes unless a command says else")
    picture_tokenizer_hash: str = Field(description="hash of the image tokenizer it learned from")
    reads_pictures: bool = Field(
        True, description="whether it learned with pictures; a text-only twin did not"
    )
    speech_codec_hash: str | None = Field(
        None, description="hash of the codec that speaks its latents of speech; None: no speech"
    )


class LoadedPageModel(NamedTuple):
    """A model directory in memory."""

    description: PageModelDescription
    model: PageModel
    sequences: PageSequences
    tokenizer: Tokenizer


def save_page_model(
    model: PageModel,
    description: PageModelDescription,
    picture_tokenizer_dir: Path,
    text_tokenizer: TextTokenizerConfig,
    directory: Path,
    card: str,
) -> None:
    """Packs a model with its tokenizers; replaces `directory` as a whole."""
    with atomic_directory(directory) as temporary:
        shutil.copytree(picture_tokenizer_dir, temporary / PICTURE_TOKENIZER)
        copy_text_tokenizer(text_tokenizer, temporary)
        write_model(temporary, KIND, description, model, card)


def read_page_model_config(directory: Path) -> PageModelDescription:
    """Reads config.yaml; CheckpointError if the folder holds something else."""
    values = read_model_config(directory, KIND)
    return parse_config(PageModelDescription, values, origin=str(directory / "config.yaml"))


def load_page_model(directory: Path, device: torch.device | str = "cpu") -> LoadedPageModel:
    """Reads a model directory, in float32 and evaluation mode.

    Raises:
        CheckpointError: the directory is damaged, or its image tokenizer is another than the one
            that the model was trained with.
    """
    description = read_page_model_config(directory)
    found = tokenizer_hash(directory / PICTURE_TOKENIZER)
    if found != description.picture_tokenizer_hash:
        raise CheckpointError(
            f"{directory}: the model has pictures of tokenizer "
            f"{description.picture_tokenizer_hash}, its own is {found}; pack the model with the "
            "tokenizer it was trained on"
        )
    tokenizer = load_tokenizer(directory / PICTURE_TOKENIZER).to(device)
    text_tokenizer = open_text_tokenizer(find_text_tokenizer(directory))
    sequences = PageSequences(text_tokenizer, build_encoder(tokenizer, description.model))
    space = space_of(sequences.encoder)
    model = build_page_model(text_tokenizer.size, space, description.model)
    load_weights(directory, model)
    return LoadedPageModel(description, model.float().to(device).eval(), sequences, tokenizer)
