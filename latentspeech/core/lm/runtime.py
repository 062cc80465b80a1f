"""What runs a LatentLM while it writes: torch anywhere, or ONNX Runtime on a CPU.

Elements may be fed on trial: what was fed is in the cache only after `keep` says how much of it
stands. So the next token of a script goes through the model together with the latent before it,
and is kept if it comes.

R rows, T positions, N latents, D_k latent size, d model width.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.transformer import Transformer


class SavedRow(Protocol):
    """What a row holds, to start other rows of the same runtime from."""

    @property
    def end(self) -> int:
        """How many positions."""


class RuntimeCache(Protocol):
    """The sequences so far."""

    def save(self, row: int) -> SavedRow:
        """A copy of a row."""

    def load(self, row: int, saved: SavedRow) -> None:
        """Puts a saved row in the place of one that is empty."""

    def prefill(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        """`lengths[r]` positions of x (R, T, d) go into row r -> hidden behind the last (R, d).

        Rubbish for rows that get none.
        """

    def feed(self, x: Tensor) -> Tensor:
        """Inputs (R, T, d) behind each row's end -> hidden states (R, T, d); nothing is kept."""

    def keep(self, counts: Sequence[int]) -> None:
        """The first `counts[r]` of the positions just fed stay in row r."""


class Sampler(Protocol):
    """What writes latents from hidden states."""

    def sample(
        self, cond: Tensor, noise: Tensor, uncond: Tensor | None, sampling: LatentSampling
    ) -> Tensor:
        """Normalised latents (N, D_k), as `LatentDiffusion.sample`."""


class Runtime(Protocol):
    """A model and the means to run it."""

    @property
    def model(self) -> LatentLM:
        """Embeddings, normalisers and the softmax head are asked of the model itself."""

    def open(self, num_rows: int, capacity: int) -> RuntimeCache:
        """A cache for rows of at most `capacity` positions, those on trial included."""

    def sampler(self, modality: int) -> Sampler:
        """The diffusion head of a modality."""


class TorchRuntime:
    """The modules themselves, on whatever device and in whatever precision they are."""

    def __init__(self, model: LatentLM) -> None:
        self.model = model

    def open(self, num_rows: int, capacity: int) -> "TorchCache":
        """A preallocated KV cache."""
        return TorchCache(self.model.backbone, num_rows, capacity)

    def sampler(self, modality: int) -> Sampler:
        """The module."""
        return self.model.diffusion(modality)


class TorchCache:
    """A KV cache that takes back what is not kept."""

    def __init__(self, backbone: Transformer, num_rows: int, capacity: int) -> None:
        self._backbone = backbone
        self._cache: KVCache = backbone.init_state(num_rows, capacity)
        self._num_new = 0

    def save(self, row: int) -> KVCache:
        """As `RuntimeCache` says."""
        return self._cache.row(row)

    def load(self, row: int, saved: SavedRow) -> None:
        """As `RuntimeCache` says."""
        assert isinstance(saved, KVCache)
        self._cache.load_row(row, saved)

    def prefill(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        """As `RuntimeCache` says."""
        hidden = self.feed(x)
        self.keep(lengths)
        rows = torch.arange(len(x), device=x.device)
        return hidden[rows, torch.tensor(lengths, device=x.device) - 1]

    def feed(self, x: Tensor) -> Tensor:
        """As `RuntimeCache` says."""
        self._num_new = x.shape[1]
        hidden, _ = self._backbone.step(x, self._cache)
        return hidden

    def keep(self, counts: Sequence[int]) -> None:
        """As `RuntimeCache` says."""
        surplus = [self._num_new - count for count in counts]
        if any(surplus):
            self._cache.take_back(torch.tensor(surplus, device=self._cache.lengths.device))
        self._num_new = 0
