"""Sequences that mix discrete tokens and continuous latents in any order, and batches of them.

A sequence is a list of spans. A batch lays them out flat: what kind of element stands where, the
token ids, and for each modality the latents of all rows one after the other.

B rows, T elements of the longest row, K modalities, N_k latents of modality k in the batch, D_k its
size, C neighbours of a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentspeech.core.tensors import map_tensors

PADDING = -1
NO_NEIGHBOUR = -1
TOKEN = 0  # kinds above it are modalities: 1 + index


@dataclass(frozen=True)
class TokenSpan:
    """Token ids (n,); `target` says whether the model is to learn to predict them.

    A token may bring along what stands around it in a text that is known as a whole: `neighbours`
    (n, C) are ids too, NO_NEIGHBOUR where there is none.
    """

    ids: Tensor
    target: bool
    neighbours: Tensor | None = None


@dataclass(frozen=True)
class LatentSpan:
    """Raw (not normalised) latents (n, D) of the modality with index `modality`."""

    modality: int
    latents: Tensor
    target: bool


MixedSequence = Sequence[TokenSpan | LatentSpan]


@dataclass
class MixedBatch:
    """Rows padded on the right; several sequences may be packed into one row."""

    kinds: Tensor  # (B, T) PADDING, TOKEN or 1 + modality index
    token_ids: Tensor  # (B, T), 0 where no token stands
    neighbour_ids: Tensor  # (B, T, C), NO_NEIGHBOUR where there is none
    latents: tuple[Tensor, ...]  # K tensors (N_k, D_k), rows in order
    targets: Tensor  # (B, T) True where the element is to be predicted
    segment_ids: Tensor | None  # (B, T), -1 at padding; None: one sequence a row

    def to(self, device: torch.device) -> "MixedBatch":
        """The batch on another device."""
        return map_tensors(lambda tensor: tensor.to(device), self)

    @property
    def lengths(self) -> Tensor:
        """Elements a row, (B,)."""
        return (self.kinds != PADDING).sum(dim=1)


def num_elements(sequence: MixedSequence) -> int:
    """The length of a sequence."""
    # `size` costs a fifth of what `len` of a tensor does, and this is asked often.
    return sum(
        (span.ids if isinstance(span, TokenSpan) else span.latents).size(0) for span in sequence
    )


def collate(sequences: Sequence[MixedSequence], latent_dims: Sequence[int]) -> MixedBatch:
    """One sequence a row, padded on the right. `latent_dims`: one for each modality."""
    return _lay_out([[sequence] for sequence in sequences], latent_dims)


def pack(
    sequences: Sequence[MixedSequence], latent_dims: Sequence[int], max_length: int
) -> MixedBatch:
    """Several sequences a row (first fit, longest first), told apart by segment ids.

    Raises:
        ValueError: one sequence alone is longer than `max_length`.
    """
    rows: list[list[MixedSequence]] = []
    room: list[int] = []
    for sequence in sorted(sequences, key=num_elements, reverse=True):
        length = num_elements(sequence)
        if length > max_length:
            raise ValueError(f"a sequence of {length} elements does not fit rows of {max_length}")
        row = next((i for i, free in enumerate(room) if free >= length), None)
        if row is None:
            row = len(rows)
            rows.append([])
            room.append(max_length)
        rows[row].append(sequence)
        room[row] -= length
    return _lay_out(rows, latent_dims)


def _lay_out(rows: Sequence[Sequence[MixedSequence]], latent_dims: Sequence[int]) -> MixedBatch:
    width = max(sum(num_elements(sequence) for sequence in row) for row in rows)
    kinds = torch.full((len(rows), width), PADDING)
    token_ids = torch.zeros(len(rows), width, dtype=torch.long)
    neighbour_ids = torch.full((len(rows), width, _num_neighbours(rows)), NO_NEIGHBOUR)
    targets = torch.zeros(len(rows), width, dtype=torch.bool)
    segment_ids = torch.full((len(rows), width), -1)
    latents: list[list[Tensor]] = [[torch.zeros(0, dim)] for dim in latent_dims]
    # Views of the same memory: writing a few elements costs a tenth of what it does in torch.
    kind_at, target_at, segment_at = kinds.numpy(), targets.numpy(), segment_ids.numpy()
    for i, row in enumerate(rows):
        at = 0
        for segment, sequence in enumerate(row):
            start = at
            for span in sequence:
                if isinstance(span, TokenSpan):
                    end = at + span.ids.size(0)
                    kind_at[i, at:end] = TOKEN
                    token_ids[i, at:end] = span.ids
                    if span.neighbours is not None:
                        neighbour_ids[i, at:end] = span.neighbours
                else:
                    end = at + span.latents.size(0)
                    kind_at[i, at:end] = 1 + span.modality
                    latents[span.modality].append(span.latents)
                target_at[i, at:end] = span.target
                at = end
            segment_at[i, start:at] = segment
            target_at[i, start : start + 1] = False  # nothing before it could predict it
    packed = any(len(row) > 1 for row in rows)
    flat = tuple(torch.cat(parts) for parts in latents)
    return MixedBatch(
        kinds, token_ids, neighbour_ids, flat, targets, segment_ids if packed else None
    )


def _num_neighbours(rows: Sequence[Sequence[MixedSequence]]) -> int:
    spans = (span for row in rows for sequence in row for span in sequence)
    return max(
        (
            span.neighbours.shape[1]
            for span in spans
            if isinstance(span, TokenSpan) and span.neighbours is not None
        ),
        default=0,
    )
