"""How the pictures of a page become latents: by a trained image tokenizer, whose weights rest.

n pictures, S image size, N latents of an image, D latent size.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

from latentspeech.core.errors import ConfigError
from latentspeech.core.latents.sigma_vae import SigmaVAEConfig, sample_posterior
from latentvision.images.transforms import center_crop, to_tensor
from latentvision.tokenizer.model import Tokenizer

_PICTURES_AT_ONCE = 32


class PictureEncoder(Protocol):
    """Pictures to latents. The object can be pickled."""

    @property
    def num_latents(self) -> int:
        """N, the same for every picture."""

    @property
    def latent_dim(self) -> int:
        """D."""

    def shrink(self, picture: Image.Image) -> Image.Image:
        """The part of a picture that is encoded, in the encoder's size."""

    def encode(self, pictures: Sequence[Image.Image], generator: torch.Generator) -> Tensor:
        """Shrunk pictures -> a sample of their latents (n, N, D)."""


class TokenizerEncoder:
    """A sigma-VAE; latents are samples of its posterior, as image generators train on them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raises ConfigError if the tokenizer is no sigma-VAE."""
        posterior = tokenizer.config.posterior
        if not isinstance(posterior, SigmaVAEConfig):
            raise ConfigError(
                f"an image tokenizer with a posterior of kind {posterior.kind!r}; expected a "
                "sigma-VAE (per_example or fixed); give another tokenizer"
            )
        self._posterior = posterior
        self._tokenizer = tokenizer.eval().requires_grad_(False)

    @property
    def num_latents(self) -> int:
        """N of the tokenizer."""
        return self._tokenizer.config.num_latents

    @property
    def latent_dim(self) -> int:
        """D of the tokenizer."""
        return self._tokenizer.config.latent_dim

    def shrink(self, picture: Image.Image) -> Image.Image:
        """The central square in the tokenizer's size."""
        return center_crop(picture, self._tokenizer.config.image_size)

    def encode(self, pictures: Sequence[Image.Image], generator: torch.Generator) -> Tensor:
        """Shrunk pictures -> a sample of their latents (n, N, D), on the CPU."""
        means = [torch.zeros(0, self.num_latents, self.latent_dim)]
        for first in range(0, len(pictures), _PICTURES_AT_ONCE):
            images = torch.stack(
                [to_tensor(p) for p in pictures[first : first + _PICTURES_AT_ONCE]]
            )
            with torch.no_grad():
                means.append(self._tokenizer.encode(images.to(self._tokenizer.device)).cpu())
        return sample_posterior(self._posterior, torch.cat(means), generator)
