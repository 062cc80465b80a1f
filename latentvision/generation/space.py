"""What the tokenizer and the data fix about a generator: the grid of latents and the classes."""

from typing import NamedTuple

from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config


class ImageSpace(Config):
    """The latents of an image, listed row by row, and the number of classes.

    Classes are numbered from 0. The number after the last one is the null class, which stands for
    an image without its class in training and in guidance.
    """

    num_rows: int = Field(ge=1, description="rows of the grid of latents; 16 for 256 px, patch 16")
    num_columns: int = Field(ge=1, description="columns of the grid")
    latent_dim: int = Field(ge=1, description="channels of a latent; 1 if it is a code")
    num_classes: int = Field(ge=1, description="classes, without the null class")
    num_codes: int | None = Field(
        None, ge=2, description="size of the codebook of a VQ tokenizer; None: latents"
    )

    @property
    def num_latents(self) -> int:
        """The number of latents of an image."""
        return self.num_rows * self.num_columns

    @property
    def null_class(self) -> int:
        """The number of the null class."""
        return self.num_classes


class ImageBatch(NamedTuple):
    """Images to train on."""

    latents: Tensor  # (B, N, D) raw latents; codes (B, N, 1) as numbers if the tokenizer is VQ
    labels: Tensor  # (B,) class, or the null class where training hides it
