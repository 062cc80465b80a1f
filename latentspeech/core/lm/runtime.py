"""The protocol of runtimes, which run a LatentLM for generation.

torch runs it on any device (torch_runtime.py), ONNX Runtime on a CPU and without torch
(core/onnx/runtime.py). Arrays are the runtime's own (array_ops.py).

Positions may be fed on trial: they are in the cache only after `keep` has said how many of them
stay. So a token that is likely to come next can go through the model together with the element
before it, at the cost of one pass.

R rows, T positions, N latents, D_k latent size, d model width.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.lm.sampling.array_ops import AnyArray, ArrayOps


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

    def prefill(self, x: AnyArray, lengths: Sequence[int], first_row: int = 0) -> AnyArray:
        """Reads `lengths[i]` positions of x (R, T, d) into row `first_row` + i, and keeps them.

        Returns:
            (R, d) hidden states at the last position; meaningless for rows that read none.
        """

    def feed(self, x: AnyArray, lengths: Sequence[int] | None = None) -> AnyArray:
        """Runs inputs (R, T, d) after the ends of the first R rows -> hidden states (R, T, d).

        Nothing is kept before `keep` is called. Only the first `lengths[r]` positions of row r are
        needed (None: all); the runtime may leave out the others.
        """

    def keep(self, counts: Sequence[int] | NDArray[np.int64]) -> None:
        """Keeps the first `counts[r]` of the positions just fed to row r."""


class Sampler(Protocol):
    """Draws latents for hidden states."""

    def sample(
        self, cond: AnyArray, noise: AnyArray, uncond: AnyArray | None, sampling: LatentSampling
    ) -> AnyArray:
        """Draws normalised latents (N, D_k) as `LatentDiffusion.sample` does."""


class Runtime(Protocol):
    """A model and the means to run it."""

    @property
    def config(self) -> LatentLMConfig:
        """The model's settings."""

    @property
    def ops(self) -> ArrayOps:
        """The operations on the runtime's arrays."""

    def open(self, num_rows: int, capacity: int) -> RuntimeCache:
        """Makes a cache for rows of at most `capacity` positions, including those on trial."""

    def sampler(self, modality: int) -> Sampler:
        """The diffusion head of a modality."""

    def embed(self, sequences: Sequence[MixedSequence]) -> AnyArray:
        """Backbone inputs (R, T, d) of R sequences, padded on the right.

        Raises:
            ValueError: no sequence has an element, or latents do not fit the model.
        """

    def embed_tokens(self, ids: NDArray[Any], neighbours: NDArray[Any] | None) -> AnyArray:
        """Backbone inputs (n, d) of tokens (n,) with the ids beside them (n, C), if any."""

    def embed_latents(self, modality: int, latents: AnyArray) -> AnyArray:
        """Backbone inputs (n, d) of raw latents (n, D_k)."""

    def denormalize(self, modality: int, latents: AnyArray) -> AnyArray:
        """Raw latents (n, D_k) of normalised ones."""

    def token_logits(self, hidden: AnyArray) -> AnyArray:
        """The softmax head's logits, hidden (n, d) -> float32 (n, V)."""
