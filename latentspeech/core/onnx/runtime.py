"""A LatentLM run by ONNX Runtime and numpy, for few rows of a small model on a CPU.

It is made from a configuration and weights, and needs no torch. The matrices of backbone and head
are in ONNX graphs; embeddings, normalisers and the softmax head are a product or two a step and
stay in numpy.

R rows, T positions, N latents, D_k latent size, d model width.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.diffusion.config import DiffusionHeadConfig
from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.lm.mixed_sequence import (
    NO_NEIGHBOUR,
    LatentSpan,
    MixedSequence,
    TokenSpan,
    num_elements,
)
from latentspeech.core.lm.runtime import SavedRow
from latentspeech.core.lm.sampling.array_ops import NumpyOps
from latentspeech.core.onnx.cache import OnnxCache, OnnxRow
from latentspeech.core.onnx.graph import Array
from latentspeech.core.onnx.head import OnnxDiffusion
from latentspeech.core.onnx.transformer import OnnxTransformer
from latentspeech.core.storage.weights import Weights


class OnnxRuntime:
    """Runs graphs that are made from the weights, in float32 or with weights of one byte."""

    def __init__(
        self, config: LatentLMConfig, weights: Weights, num_threads: int = 1, int8: bool = False
    ) -> None:
        self.config = config
        self.ops = NumpyOps()
        vocab_size, width = config.vocab_size, config.backbone.model_dim
        self._tokens = weights.take("token_embedding.weight", vocab_size, width)
        self._neighbours = [
            weights.take(f"neighbour_embeddings.{place}.weight", 1 + vocab_size, width)
            for place in range(config.num_neighbours)
        ]
        self._logits = self._tokens
        if config.token_head == "separate":
            self._logits = weights.take("token_head.weight", vocab_size, width)
        backbone = weights.part("backbone")
        self._transformer = OnnxTransformer(config.backbone, backbone, num_threads, int8)
        self._modalities = [
            _Modality(config, number, weights, num_threads, int8)
            for number in range(len(config.modalities))
        ]
        weights.check_all_taken()

    def open(self, num_rows: int, capacity: int) -> "OnnxRows":
        """Makes a cache that grows with its rows and their lengths."""
        return OnnxRows(self._transformer)

    def sampler(self, modality: int) -> OnnxDiffusion:
        """The graphs of a modality's diffusion head."""
        return self._modalities[modality].diffusion

    def embed(self, sequences: Sequence[MixedSequence]) -> Array:
        """Backbone inputs (R, T, d) of R sequences, padded on the right."""
        lengths = [num_elements(sequence) for sequence in sequences]
        if not any(lengths):
            raise ValueError(
                f"{len(sequences)} sequences without an element; expected at least one to read: "
                "leave empty batches out"
            )
        width = self.config.backbone.model_dim
        x = np.zeros((len(sequences), max(lengths), width), dtype=np.float32)
        for row, sequence in enumerate(sequences):
            start = 0
            for span in sequence:
                length = num_elements([span])
                x[row, start : start + length] = self._embed_span(span)
                start += length
        return x

    def embed_tokens(self, ids: NDArray[Any], neighbours: NDArray[Any] | None) -> Array:
        """Backbone inputs (n, d) of tokens (n,) with the ids beside them (n, C)."""
        x: Array = self._tokens[np.asarray(ids)]
        if neighbours is not None and neighbours.shape[-1]:
            places = np.asarray(neighbours).T - NO_NEIGHBOUR
            for embedding, beside in zip(self._neighbours, places, strict=True):
                x = x + embedding[beside]
        return x

    def embed_latents(self, modality: int, latents: Array) -> Array:
        """Backbone inputs (n, d) of raw latents (n, D_k)."""
        return self._modalities[modality].embed(latents)

    def denormalize(self, modality: int, latents: Array) -> Array:
        """Raw latents (n, D_k) of normalised ones."""
        return self._modalities[modality].denormalize(latents)

    def token_logits(self, hidden: Array) -> Array:
        """The softmax head's logits, hidden (n, d) -> (n, V)."""
        logits: Array = hidden @ self._logits.T
        return logits

    def _embed_span(self, span: TokenSpan | LatentSpan) -> Array:
        if isinstance(span, TokenSpan):
            return self.embed_tokens(span.ids, span.neighbours)
        size = self.config.latent_dims[span.modality]
        if span.latents.ndim != 2 or span.latents.shape[1] != size:
            raise ValueError(
                f"latents of modality {span.modality} has shape {tuple(span.latents.shape)}; "
                f"expected (n, {size})"
            )
        return self.embed_latents(span.modality, np.asarray(span.latents, dtype=np.float32))


class _Modality:
    """What belongs to one kind of latents: projection, normaliser and diffusion head."""

    def __init__(
        self, config: LatentLMConfig, number: int, weights: Weights, num_threads: int, int8: bool
    ) -> None:
        modality, width = config.modalities[number], config.backbone.model_dim
        size = modality.latent_dim
        self._projection = weights.take(f"input_projections.{number}.weight", width, size)
        self._mean = weights.take(f"normalizers.{number}.mean", size)
        self._std = weights.take(f"normalizers.{number}.std", size)
        head = DiffusionHeadConfig(
            latent_dim=size,
            model_dim=width,
            cond_dim=width,
            num_layers=modality.head_layers,
            ffn_dim=modality.head_ffn_dim,
        )
        of_head = weights.part(f"diffusions.{number}.head")
        self.diffusion = OnnxDiffusion(modality.diffusion, head, of_head, num_threads, int8)

    def embed(self, latents: Array) -> Array:
        projected: Array = ((latents - self._mean) / self._std) @ self._projection.T
        return projected

    def denormalize(self, latents: Array) -> Array:
        return latents * self._std + self._mean


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

    def prefill(self, x: Array, lengths: Sequence[int], first_row: int = 0) -> Array:
        """Reads one row after the other, since padding would cost as much as real positions."""
        self._cache.make_room(first_row + len(lengths), 0)
        hidden = np.zeros((len(lengths), x.shape[2]), dtype=np.float32)
        for place, length in enumerate(lengths):
            if length:
                row, new = first_row + place, x[place : place + 1, :length]
                hidden[place] = self._transformer.prefill(new, self._cache, row)[0]
                self._cache.keep([length], row)
        return hidden

    def feed(self, x: Array, lengths: Sequence[int] | None = None) -> Array:
        """Hidden states (R, T, d) of inputs (R, T, d) to the first R rows."""
        self._cache.make_room(len(x), 0)
        return self._transformer.step(x, self._cache, lengths)

    def keep(self, counts: Sequence[int] | NDArray[np.int64]) -> None:
        """Copies the first `counts[r]` of the positions just fed into the cache."""
        self._cache.keep(counts)
