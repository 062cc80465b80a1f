"""A LatentLM run by ONNX Runtime, for few rows of a small model on a CPU.

R rows, T positions, N latents, D_k latent size, d model width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.runtime import SavedRow
from latentspeech.core.onnx.head import OnnxDiffusion
from latentspeech.core.onnx.transformer import OnnxCache, OnnxRow, OnnxTransformer


class OnnxRuntime:
    """Graphs made of the weights as they are now; in float32."""

    def __init__(self, model: LatentLM, num_threads: int = 1, int8: bool = False) -> None:
        self.model = model
        self._transformer = OnnxTransformer(model.backbone, num_threads, int8)
        self._diffusions = [
            OnnxDiffusion(model.diffusion(modality), num_threads, int8)
            for modality in range(len(model.config.modalities))
        ]

    def open(self, num_rows: int, capacity: int) -> "OnnxRows":
        """A cache that grows as it must."""
        return OnnxRows(self._transformer, num_rows)

    def sampler(self, modality: int) -> OnnxDiffusion:
        """The graphs of a head."""
        return self._diffusions[modality]


class OnnxRows:
    """A cache of the ONNX Transformer."""

    def __init__(self, transformer: OnnxTransformer, num_rows: int) -> None:
        self._transformer = transformer
        self._cache: OnnxCache = transformer.init_state(num_rows)

    def save(self, row: int) -> OnnxRow:
        """As `RuntimeCache` says."""
        return self._cache.row(row)

    def load(self, row: int, saved: SavedRow) -> None:
        """As `RuntimeCache` says."""
        assert isinstance(saved, OnnxRow)
        self._cache.load_row(row, saved)

    def prefill(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        """As `RuntimeCache` says; row by row, since padding would cost as much as positions do."""
        hidden = torch.zeros(len(lengths), x.shape[2])
        for row, length in enumerate(lengths):
            if length:
                new = x[row : row + 1, :length]
                hidden[row] = self._transformer.prefill(new, self._cache, row)[0]
                self._cache.keep([length], row)
        return hidden

    def feed(self, x: Tensor) -> Tensor:
        """As `RuntimeCache` says."""
        return self._transformer.step(x, self._cache)

    def keep(self, counts: Sequence[int]) -> None:
        """As `RuntimeCache` says."""
        self._cache.keep(counts)
