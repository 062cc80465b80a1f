"""Which text tokenizer a model of pages has: one configuration for each kind, and its file."""

import shutil
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.errors import CheckpointError
from latentvision.mllm.tokens.byte_bpe import ByteBPE
from latentvision.mllm.tokens.cl100k import Cl100k
from latentvision.mllm.tokens.text_tokenizer import TextTokenizer

# The file of each kind in a model directory.
FILE_NAMES = {"byte_bpe": "text_tokenizer.json", "cl100k": "cl100k_base.tiktoken"}


class ByteBPEConfig(Config):
    """A byte-level BPE that a recipe trained."""

    kind: Literal["byte_bpe"] = "byte_bpe"
    path: Path = Field(description="its JSON file")


class Cl100kConfig(Config):
    """cl100k_base, the paper's."""

    kind: Literal["cl100k"] = "cl100k"
    path: Path = Field(description="the file cl100k_base.tiktoken")


TextTokenizerConfig = Annotated[ByteBPEConfig | Cl100kConfig, Field(discriminator="kind")]


def open_text_tokenizer(config: TextTokenizerConfig) -> TextTokenizer:
    """Reads the tokenizer's file; InputError or DataError if it is missing or damaged."""
    match config:
        case ByteBPEConfig():
            return ByteBPE.load(config.path)
        case Cl100kConfig():
            return Cl100k(config.path)


def copy_text_tokenizer(config: TextTokenizerConfig, directory: Path) -> None:
    """Puts the tokenizer's file into a model directory."""
    shutil.copyfile(config.path, directory / FILE_NAMES[config.kind])


def find_text_tokenizer(directory: Path) -> TextTokenizerConfig:
    """The tokenizer in a model directory; CheckpointError if it has none."""
    if (path := directory / FILE_NAMES["byte_bpe"]).is_file():
        return ByteBPEConfig(path=path)
    if (path := directory / FILE_NAMES["cl100k"]).is_file():
        return Cl100kConfig(path=path)
    names = " nor ".join(FILE_NAMES.values())
    raise CheckpointError(f"{directory} holds neither {names}; copy the model directory again")
