"""Pictures of a training run of a model of pages: loaded as patches, encoded on the run's device.

Loader processes only decode and shrink pictures. The training process turns the patches of a batch
into latents, or codes, by the image tokenizer. So there are no shards of latents to make, any page
format serves, and every epoch draws new samples of the posterior. All models of pages load the very
same batches. The price is one pass of the encoder for each picture and epoch.

n pictures, N latents of a picture, P patch size, D latent size.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor

from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.sigma_vae import sample_posterior
from latentspeech.core.lm.mixed_batch import MixedBatch
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentvision.images.transforms import center_crop, to_tensor
from latentvision.mllm.sequence import IMAGE
from latentvision.mllm.tokens.vocabulary import Vocabulary
from latentvision.tokenizer.model import Tokenizer, TokenizerConfig
from latentvision.tokenizer.patches import to_patches

_PICTURES_AT_ONCE = 64


class PatchEncoder:
    """A `PictureEncoder` whose "latents" are the pixels of patches, (N, 3 P P)."""

    num_codes = 0

    def __init__(self, config: TokenizerConfig) -> None:
        self._config = config

    @property
    def num_latents(self) -> int:
        """N of the tokenizer."""
        return self._config.num_latents

    @property
    def latent_dims(self) -> tuple[int, ...]:
        """(3 P P,)."""
        return (3 * self._config.patch_size**2,)

    def shrink(self, picture: Image.Image) -> Image.Image:
        """The central square in the tokenizer's size."""
        return center_crop(picture, self._config.image_size)

    def encode(self, pictures: Sequence[Image.Image], generator: torch.Generator) -> Tensor:
        """Shrunk pictures -> their patches (n, N, 3 P P); nothing is drawn."""
        if not pictures:
            return torch.zeros(0, self.num_latents, *self.latent_dims)
        images = torch.stack([to_tensor(picture) for picture in pictures])
        return to_patches(images, self._config.patch_size)


class BatchEncoder:
    """Turns the patches in a batch into latents or codes, on the batch's device."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: Vocabulary, codes: bool) -> None:
        """Args: `codes` says that the model has codes, which are tokens of its vocabulary."""
        self._tokenizer = tokenizer.eval().requires_grad_(False)
        self._vocabulary = vocabulary
        self._codes = codes

    def __call__(self, batch: MixedBatch, generator: torch.Generator) -> MixedBatch:
        """The batch with latents (n N, D), or with codes as tokens; `generator` draws samples.

        Speech is latents already, and stays as it is.
        """
        patches = batch.latents[IMAGE]  # (n N, 3 P P)
        if self._tokenizer.device != patches.device:
            self._tokenizer.to(patches.device)
        with torch.no_grad(), torch.autocast(patches.device.type, enabled=False):
            count = self._tokenizer.config.num_latents
            found = self._encoded(patches.view(-1, count, patches.shape[-1]))
            if self._codes:
                here = batch.kinds == 1 + IMAGE
                codes = self._vocabulary.codes + found.flatten()
                ids = batch.token_ids.masked_scatter(here, codes)
                kinds = batch.kinds.masked_fill(here, TOKEN)
                return replace(batch, kinds=kinds, token_ids=ids, latents=())
            posterior = self._tokenizer.config.posterior
            assert isinstance(posterior, SigmaVAEConfig)
            latents = sample_posterior(posterior, found, generator)
        return replace(batch, latents=(latents.flatten(0, 1), *batch.latents[1:]))

    def _encoded(self, patches: Tensor) -> Tensor:
        """Patches (n, N, 3 P P) -> means (n, N, D), or codes (n, N)."""
        tokenizer, count = self._tokenizer, self._tokenizer.config.num_latents
        if not len(patches):
            if self._codes:
                return patches.new_zeros(0, count, dtype=torch.long)
            return patches.new_zeros(0, count, tokenizer.config.latent_dim)
        encode = tokenizer.encode_codes if self._codes else tokenizer.encode
        some = torch.split(patches, _PICTURES_AT_ONCE)
        return torch.cat([encode(tokenizer.assemble(part)) for part in some])
