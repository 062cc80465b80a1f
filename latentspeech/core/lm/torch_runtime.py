"""The runtime of torch, which runs a LatentLM's modules on their device and in their precision.

R rows, T positions, N latents, D_k latent size, d model width.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentspeech.core.diffusion.guidance import guide
from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_batch import collate
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.lm.runtime import Sampler, SavedRow
from latentspeech.core.lm.sampling.array_ops import Flags, Floats, Integers, TokenChoice
from latentspeech.core.lm.sampling.token_sampling import sample_tokens
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.transformer import Transformer
from latentspeech.core.tensors import make_generator


class TorchOps:
    """Operations on tensors of one dtype and device (array_ops.py)."""

    def __init__(self, like: Tensor) -> None:
        self._dtype, self._device = like.dtype, like.device

    def inference(self) -> AbstractContextManager[Any]:
        """torch's inference mode."""
        return torch.inference_mode()

    def zeros(self, *shape: int) -> Tensor:
        """Zeros in the model's precision."""
        return torch.zeros(shape, dtype=self._dtype, device=self._device)

    def from_host(self, values: NDArray[Any]) -> Tensor:
        """A copy on the device."""
        return torch.from_numpy(values).to(self._device)

    def to_host(self, x: Tensor) -> NDArray[Any]:
        """A copy on the host, or a view of a tensor on the CPU."""
        array: NDArray[Any] = x.numpy(force=True)
        return array

    def concat(self, parts: Sequence[Tensor], axis: int = 0) -> Tensor:
        """The parts one after the other."""
        return torch.cat([*parts], dim=axis)

    def repeat(self, x: Tensor, count: int) -> Tensor:
        """Each row `count` times."""
        return x[:, None].expand(len(x), count, *x.shape[1:]).reshape(-1, *x.shape[1:])

    def where(self, flags: Flags, one: Tensor, other: Tensor) -> Tensor:
        """`one` where the flags are True, `other` elsewhere."""
        return torch.where(self.from_host(flags), one, other)

    def take(self, x: Tensor, places: Integers) -> Tensor:
        """The rows of x at `places`."""
        return x.index_select(0, self.from_host(places))

    def put(self, x: Tensor, places: Integers, values: Tensor) -> None:
        """Writes rows of x."""
        x[torch.from_numpy(places)] = values

    def guide(self, conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
        """Classifier-free guidance."""
        return guide(conditional, unconditional, scale)

    def probability(self, logits: Tensor, token_id: int) -> NDArray[np.float64]:
        """The softmax probability of one token, in float64."""
        probabilities = logits.softmax(1, dtype=torch.float64)
        found: NDArray[np.float64] = probabilities[:, token_id].numpy(force=True)
        return found

    def choose(
        self, logits: Tensor, choice: TokenChoice, uniforms: Tensor | None
    ) -> tuple[NDArray[np.float64], Integers]:
        """Logits of `read_ids` and a token drawn for each row, in one transfer to the host."""
        read = logits[:, choice.read_ids]
        logits = logits.index_fill(1, choice.banned_ids, -torch.inf)
        if choice.allowed is not None:
            logits = logits.masked_fill(~choice.allowed[: len(logits)], -torch.inf)
        drawn = sample_tokens(logits, choice.temperature, choice.top_p, uniforms)
        both = torch.cat((read.double(), drawn.double()[:, None]), dim=1).numpy(force=True)
        return both[:, :-1], both[:, -1].astype(np.int64)

    def generator(self, seed: int, stream: str) -> torch.Generator:
        """A generator on the CPU."""
        return make_generator(seed, stream)

    def normal(self, shape: tuple[int, ...], generator: torch.Generator) -> Floats:
        """Standard normal numbers."""
        return torch.randn(shape, generator=generator).numpy()

    def uniform(self, shape: tuple[int, ...], generator: torch.Generator) -> Floats:
        """Numbers in [0, 1)."""
        return torch.rand(shape, generator=generator).numpy()


class TorchRuntime:
    """Runs the model's modules, on their device and in their precision."""

    def __init__(self, model: LatentLM) -> None:
        self.model = model
        self.ops = TorchOps(model.token_embedding.weight)

    @property
    def config(self) -> LatentLMConfig:
        """The model's settings."""
        return self.model.config

    def open(self, num_rows: int, capacity: int) -> "TorchCache":
        """Makes a preallocated KV cache."""
        return TorchCache(self.model.backbone, num_rows, capacity)

    def sampler(self, modality: int) -> Sampler:
        """The modality's module."""
        return self.model.diffusion(modality)

    def embed(self, sequences: Sequence[MixedSequence]) -> Tensor:
        """Backbone inputs (R, T, d) of R sequences, padded on the right."""
        batch = collate(sequences, self.model.config.latent_dims)
        return self.model.embed(batch.to(self.model.device))

    def embed_tokens(self, ids: NDArray[Any], neighbours: NDArray[Any] | None) -> Tensor:
        """Backbone inputs (n, d) of tokens (n,) with the ids beside them (n, C)."""
        beside = None if neighbours is None else self._ids(neighbours)
        return self.model.embed_tokens(self._ids(ids), beside)

    def embed_latents(self, modality: int, latents: Tensor) -> Tensor:
        """Backbone inputs (n, d) of raw latents (n, D_k)."""
        return self.model.embed_latents(modality, self.model.normalize(modality, latents))

    def denormalize(self, modality: int, latents: Tensor) -> Tensor:
        """Raw latents (n, D_k) of normalised ones."""
        return self.model.denormalize(modality, latents)

    def token_logits(self, hidden: Tensor) -> Tensor:
        """The softmax head's logits, hidden (n, d) -> float32 (n, V)."""
        return self.model.token_logits(hidden).float()

    def _ids(self, ids: NDArray[Any]) -> Tensor:
        return torch.as_tensor(ids, device=self.model.device)


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

    def feed(self, x: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """Hidden states (R, T, d) of all inputs (R, T, d) to the first R rows."""
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
