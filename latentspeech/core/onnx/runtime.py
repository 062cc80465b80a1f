"""A LatentLM run by ONNX Runtime, for few rows of a small model on a CPU.

R rows, T positions, N latents, D_k latent size, d model width.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.runtime import SavedRow
from latentspeech.core.onnx.head import OnnxDiffusion
from latentspeech.core.onnx.transformer import OnnxCache, OnnxRow, OnnxTransformer


class OnnxRuntime:
    """Runs graphs that are made from a copy of the current weights, in float32."""

    def __init__(self, model: LatentLM, num_threads: int = 1, int8: bool = False) -> None:
        self.model = model
        self._transformer = OnnxTransformer(model.backbone, num_threads, int8)
        self._diffusions = [
            OnnxDiffusion(model.diffusion(modality), num_threads, int8)
            for modality in range(len(model.config.modalities))
        ]

    def open(self, num_rows: int, capacity: int) -> "OnnxRows":
        """Makes a cache that grows with its rows and their lengths."""
        return OnnxRows(self._transformer)

    def sampler(self, modality: int) -> OnnxDiffusion:
        """The graphs of a modality's diffusion head."""
        return self._diffusions[modality]


class OnnxRows:
    """A cache of the ONNX Transformer."""

    def __init__(self, transformer: OnnxTransformer) -> None:
        self._transformer = transformer
        self._cache: OnnxCache = transformer.init_state()

    def save(self, row: int) -> OnnxRow:
        """A copy of the row, cut to its length."""
        return self._cache.row(row)

    def load(self, row: int, saved: SavedRow) -> None:
        """Copies a saved row into an empty one."""
        assert isinstance(saved, OnnxRow)
        self._cache.load_row(row, saved)

    def move(self, source: int, target: int) -> None:
        """Copies row `source` to row `target`."""
        self._cache.move_row(source, target)

    def clear(self, row: int) -> None:
        """Empties the row."""
        self._cache.clear_row(row)

    def prefill(self, x: Tensor, lengths: Sequence[int], first_row: int = 0) -> Tensor:
        """Reads one row after the other, since padding would cost as much as real positions."""
        self._cache.make_room(first_row + len(lengths), 0)
        hidden = torch.zeros(len(lengths), x.shape[2])
        for place, length in enumerate(lengths):
            if length:
                row, new = first_row + place, x[place : place + 1, :length]
                hidden[place] = self._transformer.prefill(new, self._cache, row)[0]
                self._cache.keep([length], row)
        return hidden

    def feed(self, x: Tensor) -> Tensor:
        """Hidden states (R, T, d) of inputs (R, T, d) to the first R rows."""
        self._cache.make_room(len(x), 0)
        return self._transformer.step(x, self._cache)

    def keep(self, counts: Sequence[int] | NDArray[np.int64]) -> None:
        """Copies the first `counts[r]` of the positions just fed into the cache."""
        self._cache.keep(counts)
