"""How the pictures of a page become latents or codes: by a trained tokenizer, whose weights rest.

n pictures, S image size, N latents of an image, D latent size.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

from latentspeech.core.errors import ConfigError
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.sigma_vae import sample_posterior
from latentvision.images.transforms import center_crop, to_tensor
from latentvision.tokenizer.model import Tokenizer
from latentvision.tokenizer.posterior import VQConfig

_PICTURES_AT_ONCE = 32


class PictureEncoder(Protocol):
    """Pictures to latents, or to codes. The object can be pickled."""

    @property
    def num_latents(self) -> int:
        """N, the same for every picture."""

    @property
    def latent_dims(self) -> tuple[int, ...]:
        """(D,); empty for codes, which are tokens."""

    @property
    def num_codes(self) -> int:
        """How many codes there are; 0 for latents."""

    def shrink(self, picture: Image.Image) -> Image.Image:
        """The part of a picture that is encoded, in the encoder's size."""

    def encode(self, pictures: Sequence[Image.Image], generator: torch.Generator) -> Tensor:
        """Shrunk pictures -> a sample of their latents (n, N, D), or their codes (n, N)."""


class _TokenizerPictures:
    """What is common to tokenizers of latents and of codes."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer.eval().requires_grad_(False)

    @property
    def num_latents(self) -> int:
        """N of the tokenizer."""
        return self._tokenizer.config.num_latents

    def shrink(self, picture: Image.Image) -> Image.Image:
        """The central square in the tokenizer's size."""
        return center_crop(picture, self._tokenizer.config.image_size)

    def _images(self, pictures: Sequence[Image.Image]) -> Iterator[Tensor]:
        """The pictures as images (at most 32, 3, S, S) on the tokenizer's device."""
        for first in range(0, len(pictures), _PICTURES_AT_ONCE):
            some = pictures[first : first + _PICTURES_AT_ONCE]
            yield torch.stack([to_tensor(one) for one in some]).to(self._tokenizer.device)


class TokenizerEncoder(_TokenizerPictures):
    """A sigma-VAE; latents are samples of its posterior, as image generators train on them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raises ConfigError if the tokenizer is no sigma-VAE."""
        posterior = tokenizer.config.posterior
        if not isinstance(posterior, SigmaVAEConfig):
            raise ConfigError(
                f"an image tokenizer with a posterior of kind {posterior.kind!r}; expected a "
                "sigma-VAE (per_example or fixed); give another tokenizer"
            )
        super().__init__(tokenizer)
        self._posterior = posterior

    @property
    def latent_dims(self) -> tuple[int, ...]:
        """(D,) of the tokenizer."""
        return (self._tokenizer.config.latent_dim,)

    @property
    def num_codes(self) -> int:
        """None of them."""
        return 0

    def encode(self, pictures: Sequence[Image.Image], generator: torch.Generator) -> Tensor:
        """Shrunk pictures -> a sample of their latents (n, N, D), on the CPU."""
        means = [torch.zeros(0, self.num_latents, *self.latent_dims)]
        with torch.no_grad():
            means += [self._tokenizer.encode(images).cpu() for images in self._images(pictures)]
        return sample_posterior(self._posterior, torch.cat(means), generator)


class CodeEncoder(_TokenizerPictures):
    """A VQ tokenizer, for a model whose softmax head writes pictures too (the paper's VQ-MLLM)."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raises ConfigError if the tokenizer has no codes."""
        posterior = tokenizer.config.posterior
        if not isinstance(posterior, VQConfig):
            raise ConfigError(
                f"an image tokenizer with a posterior of kind {posterior.kind!r} has no codes; "
                "expected one of kind 'vq'; give another tokenizer"
            )
        super().__init__(tokenizer)
        self._num_codes = posterior.num_codes

    @property
    def latent_dims(self) -> tuple[int, ...]:
        """None of them, because codes are tokens."""
        return ()

    @property
    def num_codes(self) -> int:
        """The size of the codebook."""
        return self._num_codes

    def encode(self, pictures: Sequence[Image.Image], generator: torch.Generator) -> Tensor:
        """Shrunk pictures -> their codes (n, N), on the CPU; nothing is drawn."""
        codes = [torch.zeros(0, self.num_latents, dtype=torch.long)]
        with torch.no_grad():
            codes += [
                self._tokenizer.encode_codes(images).cpu() for images in self._images(pictures)
            ]
        return torch.cat(codes)
