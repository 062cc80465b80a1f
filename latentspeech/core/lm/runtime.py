"""The protocol of runtimes, which run a LatentLM for generation, and the runtime of torch.

The other runtime is ONNX Runtime, on a CPU. Positions may be fed on trial: they are in the cache
only after `keep` has said how many of them stay. So a token that is likely to come next can go
through the model together with the element before it, at the cost of one pass.

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
    """A copy of a row, from which other rows of the same runtime can start."""

    @property
    def end(self) -> int:
        """The number of its positions."""


class RuntimeCache(Protocol):
    """The sequences so far, one a row. Calls that take x feed a range of neighbouring rows."""

    def save(self, row: int) -> SavedRow:
        """An independent copy of a row."""

    def load(self, row: int, saved: SavedRow) -> None:
        """Copies a saved row into an empty one."""

    def move(self, source: int, target: int) -> None:
        """Copies row `source` to row `target`; the caller clears `source` next."""

    def clear(self, row: int) -> None:
        """Empties a row."""

    def prefill(self, x: Tensor, lengths: Sequence[int], first_row: int = 0) -> Tensor:
        """Reads `lengths[i]` positions of x (R, T, d) into row `first_row` + i, and keeps them.

        Returns:
            (R, d) hidden states at the last position; meaningless for rows that read none.
        """

    def feed(self, x: Tensor) -> Tensor:
        """Runs inputs (R, T, d) after the ends of the first R rows -> hidden states (R, T, d).

        Nothing is kept before `keep` is called.
        """

    def keep(self, counts: Sequence[int] | NDArray[np.int64]) -> None:
        """Keeps the first `counts[r]` of the positions just fed to row r."""


class Sampler(Protocol):
    """Draws latents for hidden states."""

    def sample(
        self, cond: Tensor, noise: Tensor, uncond: Tensor | None, sampling: LatentSampling
    ) -> Tensor:
        """Draws normalised latents (N, D_k) as `LatentDiffusion.sample` does."""


class Runtime(Protocol):
    """A model and the means to run it."""

    @property
    def model(self) -> LatentLM:
        """The model, whose embeddings, normalisers and softmax head are used directly."""

    def open(self, num_rows: int, capacity: int) -> RuntimeCache:
        """Makes a cache for rows of at most `capacity` positions, including those on trial."""

    def sampler(self, modality: int) -> Sampler:
        """The diffusion head of a modality."""


class TorchRuntime:
    """Runs the model's modules, on their device and in their precision."""

    def __init__(self, model: LatentLM) -> None:
        self.model = model

    def open(self, num_rows: int, capacity: int) -> "TorchCache":
        """Makes a preallocated KV cache."""
        return TorchCache(self.model.backbone, num_rows, capacity)

    def sampler(self, modality: int) -> Sampler:
        """The modality's module."""
        return self.model.diffusion(modality)


class TorchCache:
    """Rows of one preallocated KV cache.

    The lengths of the rows are kept on the host, which decides which positions are kept, so no step
    waits for the device to learn them.
    """

    def __init__(self, backbone: Transformer, num_rows: int, capacity: int) -> None:
        self._backbone = backbone
        self._storage: KVCache = backbone.init_state(num_rows, capacity)
        self._lengths = np.zeros(num_rows, dtype=np.int64)

    def save(self, row: int) -> KVCache:
        """A copy of the row, cut to its length."""
        return self._view(row, row + 1).row(0)

    def load(self, row: int, saved: SavedRow) -> None:
        """Copies a saved row into an empty one."""
        assert isinstance(saved, KVCache)
        self._view(row, row + 1).load_row(0, saved)
        self._lengths[row] = saved.end

    def move(self, source: int, target: int) -> None:
        """Copies row `source` to row `target`."""
        length = self._lengths[source]
        for entries in (self._storage.keys, self._storage.values):
            entries[:, target, :, :length] = entries[:, source, :, :length]
        self._lengths[target] = length

    def clear(self, row: int) -> None:
        """Empties the row."""
        self._lengths[row] = 0

    def prefill(self, x: Tensor, lengths: Sequence[int], first_row: int = 0) -> Tensor:
        """Reads the rows in one pass if they fit; returns hidden states (R, d) at their ends."""
        ends = self._lengths[first_row : first_row + len(x)]
        if len(x) > 1 and ends.max() + x.shape[1] > self._storage.capacity:
            # The longest prefix and the longest prompt do not fit together, but belong to
            # different rows.
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
        """Keeps the first `counts[r]` of the positions just fed to row r."""
        self._lengths[: len(counts)] += counts

    def _view(self, first: int, end: int) -> KVCache:
        """The rows from `first` to `end` - 1, which share the storage."""
        lengths = self._lengths[first:end]
        longest = int(lengths.max())
        return KVCache(
            keys=self._storage.keys[:, first:end],
            values=self._storage.values[:, first:end],
            lengths=torch.from_numpy(lengths.copy()).to(self._storage.keys.device),
            end=longest,
            uniform=bool(lengths.min() == longest),
        )
