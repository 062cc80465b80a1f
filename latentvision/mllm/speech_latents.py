"""Latents of the speech that pages name: read from core's latent shards, which a codec filled.

An item's id is the name by which pages call the recording. Which codec made the latents is for the
shards to say: nothing here knows of audio.

T latents, D latent size.
"""

from pathlib import Path

import torch
from torch import Tensor

from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.errors import DataError
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.sigma_vae import sample_posterior


class SpeechLatents:
    """Samples of the latents of recordings. The object can be pickled; it keeps all names."""

    def __init__(self, location: str | Path) -> None:
        """Raises DataError if the folder or URL holds no latent shards."""
        self._shards = LatentShards(location)
        meta = self._shards.meta
        self._posterior = SigmaVAEConfig(kind=meta.posterior_kind, sigma_std=meta.sigma_std)
        self._places = {
            item.id: (shard * meta.shard_size + place, item.num_latents)
            for shard in self._shards.shards
            for place, item in enumerate(self._shards.items(shard))
        }

    @property
    def latent_dim(self) -> int:
        """D."""
        return self._shards.meta.latent_dim

    @property
    def codec_hash(self) -> str:
        """The hash of the codec that made the latents."""
        return self._shards.meta.vae_hash

    def num_latents(self, name: str) -> int:
        """T of a recording; DataError if there are no latents of it."""
        return self._place(name)[1]

    def sample(self, name: str, generator: torch.Generator) -> Tensor:
        """A sample of the posterior of a recording, (T, D) float32; DataError if it is missing."""
        mu = self._shards.load(self._place(name)[0]).float()
        return sample_posterior(self._posterior, mu[None], generator)[0]

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation (D,) of samples."""
        return self._shards.statistics()

    def _place(self, name: str) -> tuple[int, int]:
        index, count = self._places.get(name, (0, 0))
        if not count:
            raise DataError(
                f"{self._shards} has no latents of {name}, which a page names; expected those of "
                "every recording: encode it, or take it out of the page"
            )
        return index, count
