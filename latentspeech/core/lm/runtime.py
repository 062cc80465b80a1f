"""What runs a LatentLM while it writes: torch anywhere, or ONNX Runtime on a CPU.

Positions may be fed on trial: they are in the cache only after `keep` has said how many of them
stay. So a token that is likely to come next can go through the model together with the element
before it, at the cost of one pass.

R rows, T positions, N latents, D_k latent size, d model width.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.transformer import Transformer


class SavedRow(Protocol):
    """What a row holds, to start other rows of the same runtime from."""

    @property
    def end(self) -> int:
        """Its number of positions."""


class RuntimeCache(Protocol):
    """The sequences so far, one a row. A call that takes x feeds a run of neighbouring rows."""

    def save(self, row: int) -> SavedRow:
        """An independent copy of a row."""

    def load(self, row: int, saved: SavedRow) -> None:
        """Puts a saved row in the place of an empty one."""

    def move(self, source: int, target: int) -> None:
        """Row `target` takes over what row `source` holds; `source` is to be cleared next."""

    def clear(self, row: int) -> None:
        """Empties a row."""

    def prefill(self, x: Tensor, lengths: Sequence[int], first_row: int = 0) -> Tensor:
        """Reads `lengths[i]` positions of x (R, T, d) into row `first_row` + i, and keeps them.

        Returns:
            (R, d) hidden states behind the last position; anything for rows that read none.
        """

    def feed(self, x: Tensor) -> Tensor:
        """Runs the first R rows on inputs (R, T, d) behind their ends -> hidden states (R, T, d).

        Nothing is kept before `keep` is called.
        """

    def keep(self, counts: Sequence[int] | NDArray[np.int64]) -> None:
        """Of the positions just fed, the first `counts[r]` stay in row r."""


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
    """Rows of one preallocated KV cache.

    How long each row is stands on the host, which decides what is kept, so no step waits for the
    device to find out.
    """

    def __init__(self, backbone: Transformer, num_rows: int, capacity: int) -> None:
        self._backbone = backbone
        self._storage: KVCache = backbone.init_state(num_rows, capacity)
        self._lengths = np.zeros(num_rows, dtype=np.int64)

    def save(self, row: int) -> KVCache:
        """A copy of the row, as long as the row is."""
        return self._view(row, row + 1).row(0)

    def load(self, row: int, saved: SavedRow) -> None:
        """Copies a saved row into an empty one."""
        assert isinstance(saved, KVCache)
        self._view(row, row + 1).load_row(0, saved)
        self._lengths[row] = saved.end

    def move(self, source: int, target: int) -> None:
        """Copies a row into the place of another."""
        length = self._lengths[source]
        for entries in (self._storage.keys, self._storage.values):
            entries[:, target, :, :length] = entries[:, source, :, :length]
        self._lengths[target] = length

    def clear(self, row: int) -> None:
        """The row has no positions any more."""
        self._lengths[row] = 0

    def prefill(self, x: Tensor, lengths: Sequence[int], first_row: int = 0) -> Tensor:
        """Reads the rows in one pass over the weights; hidden states (R, d) behind their ends."""
        ends = self._lengths[first_row : first_row + len(x)]
        if len(x) > 1 and ends.max() + x.shape[1] > self._storage.capacity:
            # The longest prefix and the longest prompt do not fit one row, but are not of one row.
            parts = [
                self.prefill(x[i : i + 1, : max(length, 1)], [length], first_row + i)
                for i, length in enumerate(lengths)
            ]
            return torch.cat(parts)
        hidden, _ = self._backbone.step(x, self._view(first_row, first_row + len(x)))
        self._lengths[first_row : first_row + len(x)] += lengths
        rows = torch.arange(len(x), device=x.device)
        return hidden[rows, torch.tensor(lengths, device=x.device) - 1]

    def feed(self, x: Tensor) -> Tensor:
        """Hidden states (R, T, d) of inputs (R, T, d) to the first R rows."""
        hidden, _ = self._backbone.step(x, self._view(0, len(x)))
        return hidden

    def keep(self, counts: Sequence[int] | NDArray[np.int64]) -> None:
        """The first `counts[r]` of the positions just fed count from now on."""
        self._lengths[: len(counts)] += counts

    def _view(self, first: int, end: int) -> KVCache:
        """The rows from `first` to before `end`, on the same storage."""
        lengths = self._lengths[first:end]
        longest = int(lengths.max())
        return KVCache(
            keys=self._storage.keys[:, first:end],
            values=self._storage.values[:, first:end],
            lengths=torch.from_numpy(lengths.copy()).to(self._storage.keys.device),
            end=longest,
            uniform=bool(lengths.min() == longest),
        )
