"""Batches of mixed sequences: tensors with the elements of all rows.

A batch holds the kind of each element, the token ids, and for each modality the latents of all rows
one after the other. Several sequences may be packed into one row, and long documents may be cut.

B rows, T elements of the longest row, K modalities, N_k latents of modality k in the batch, D_k its
size, C further ids of a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from latentspeech.core.lm.mixed_sequence import (
    NO_NEIGHBOUR,
    TOKEN,
    LatentSpan,
    MixedSequence,
    TokenSpan,
    num_elements,
)
from latentspeech.core.tensors import check_shape, map_tensors

PADDING = -1


@dataclass
class MixedBatch:
    """Rows padded on the right; several sequences may be packed into one row."""

    kinds: Tensor  # (B, T) PADDING, TOKEN or 1 + modality index
    token_ids: Tensor  # (B, T), 0 where there is no token
    neighbour_ids: Tensor  # (B, T, C), NO_NEIGHBOUR where there is none
    latents: tuple[Tensor, ...]  # K tensors (N_k, D_k), rows in order
    targets: Tensor  # (B, T) True where the model learns to predict the element
    segment_ids: Tensor | None  # (B, T), -1 at padding; None: one sequence a row

    def to(self, device: torch.device) -> "MixedBatch":
        """The batch on another device."""
        return map_tensors(lambda tensor: tensor.to(device), self)

    @property
    def lengths(self) -> Tensor:
        """The number of elements of each row, (B,)."""
        return (self.kinds != PADDING).sum(dim=1)


def collate(sequences: Sequence[MixedSequence], latent_dims: Sequence[int]) -> MixedBatch:
    """Makes a batch of one sequence a row, padded on the right.

    Args:
        sequences: B sequences.
        latent_dims: the latent size of each modality.

    Raises:
        ValueError: there are no elements, or a span has latents of a modality or a shape that is
            not among these.
    """
    return _lay_out([[sequence] for sequence in sequences], latent_dims)


def pack(
    sequences: Sequence[MixedSequence],
    latent_dims: Sequence[int],
    max_length: int,
    too_long: Literal["refuse", "cut"] = "refuse",
) -> MixedBatch:
    """Makes a batch of several sequences a row (first fit, longest first), with segment ids.

    Args:
        too_long: what happens to a sequence of more than `max_length` elements. "cut" suits
            documents; use "refuse" for utterances, whose end is predicted from their beginning.

    Raises:
        ValueError: a sequence, or a span of it that must not be cut, is longer than `max_length`.
    """
    if too_long == "cut":
        sequences = [piece for sequence in sequences for piece in cut(sequence, max_length)]
    rows: list[list[MixedSequence]] = []
    room: list[int] = []
    sized = [(num_elements(sequence), sequence) for sequence in sequences]
    for length, sequence in sorted(sized, key=lambda pair: pair[0], reverse=True):
        if length > max_length:
            raise ValueError(
                f"a sequence of {length} elements does not fit rows of {max_length}; "
                "make rows longer or leave the sequence out"
            )
        row = next((i for i, free in enumerate(room) if free >= length), None)
        if row is None:
            row = len(rows)
            rows.append([])
            room.append(max_length)
        rows[row].append(sequence)
        room[row] -= length
    return _lay_out(rows, latent_dims)


def cut(sequence: MixedSequence, max_length: int) -> list[MixedSequence]:
    """Cuts a document, but no whole span, into pieces of at most `max_length` elements.

    A piece begins with the last element of the previous piece, as context and not as a target. So
    each target of the document, except its first element, is predicted exactly once, and the first
    new target of a piece is predicted from that single element. If the previous piece ends in a
    whole span, no part of which would make sense alone, the piece has no context and its first
    element is not predicted.

    Raises:
        ValueError: `max_length` is below 2, or a whole span and the element before it exceed it.
    """
    if max_length < 2:
        raise ValueError(f"rows of {max_length} elements; expected 2 or more, one is context")
    pieces: list[list[TokenSpan | LatentSpan]] = [[]]
    room = fresh = max_length  # places free in the last piece: now, and when it was begun
    for span in sequence:
        length, start = num_elements([span]), 0
        while start < length:
            taken = min(room, length - start)
            if span.whole and taken < length:
                taken = 0
            if taken:
                pieces[-1].append(_part(span, start, start + taken))
                start, room = start + taken, room - taken
                continue
            if room == fresh:
                raise ValueError(
                    f"a span of {length} elements that must not be cut does not fit rows of "
                    f"{max_length}; make rows at least {length + max_length - fresh} long"
                )
            context = _context(pieces[-1][-1])
            pieces.append(context)
            room = fresh = max_length - len(context)
    return list(pieces)


def _context(last: TokenSpan | LatentSpan) -> list[TokenSpan | LatentSpan]:
    """The spans that a piece begins with if the previous piece ends with the span `last`."""
    if last.whole:
        return []
    length = num_elements([last])
    return [replace(_part(last, length - 1, length), target=False)]


def _part(span: TokenSpan | LatentSpan, start: int, stop: int) -> TokenSpan | LatentSpan:
    if isinstance(span, LatentSpan):
        return replace(span, latents=span.latents[start:stop])
    neighbours = None if span.neighbours is None else span.neighbours[start:stop]
    return replace(span, ids=span.ids[start:stop], neighbours=neighbours)


def _lay_out(rows: Sequence[Sequence[MixedSequence]], latent_dims: Sequence[int]) -> MixedBatch:
    """Lists all elements span by span, then moves them all at once to their places in the rows."""
    sequences = [sequence for row in rows for sequence in row]
    spans = [span for sequence in sequences for span in sequence]
    tokens = [span for span in spans if isinstance(span, TokenSpan)]
    if not any(map(num_elements, sequences)):
        raise ValueError(
            f"{len(sequences)} sequences without an element; expected at least one to make a batch "
            "of: leave empty batches out"
        )
    lengths = torch.tensor([num_elements(sequence) for sequence in sequences])
    row_lengths = torch.tensor([sum(map(num_elements, row)) for row in rows])
    width = int(row_lengths.max())
    row_starts = torch.arange(len(rows)) * width - (row_lengths.cumsum(0) - row_lengths)
    place = torch.arange(int(lengths.sum())) + row_starts.repeat_interleave(row_lengths)

    def spread(values: Sequence[int], counts: Tensor, empty: int) -> Tensor:
        flat = torch.full((len(rows) * width,), empty)
        flat[place] = torch.tensor(values, dtype=torch.long).repeat_interleave(counts)
        return flat

    span_lengths = torch.tensor([num_elements([span]) for span in spans])
    kind = [TOKEN if isinstance(span, TokenSpan) else 1 + span.modality for span in spans]
    kinds = spread(kind, span_lengths, PADDING)
    targets = spread([int(span.target) for span in spans], span_lengths, 0).bool()
    # Nothing before the first element of a sequence could predict it.
    targets[place[(lengths.cumsum(0) - lengths)[lengths > 0]]] = False
    segment_ids = spread([i for row in rows for i in range(len(row))], lengths, -1)

    is_token = kinds == TOKEN
    token_ids = torch.zeros(len(rows) * width, dtype=torch.long)
    ids = [torch.as_tensor(span.ids) for span in tokens]
    token_ids[is_token] = torch.cat([torch.zeros(0, dtype=torch.long), *ids])
    count = max((t.neighbours.shape[-1] for t in tokens if t.neighbours is not None), default=0)
    neighbour_ids = torch.full((len(rows) * width, count), NO_NEIGHBOUR)
    if count:
        neighbour_ids[is_token] = torch.cat([_neighbours(span, count) for span in tokens])
    latents: list[list[Tensor]] = [[torch.zeros(0, dim)] for dim in latent_dims]
    for span in spans:
        if isinstance(span, LatentSpan):
            _check_latents(span, latent_dims)
            latents[span.modality].append(torch.as_tensor(span.latents))
    shape = (len(rows), width)
    return MixedBatch(
        kinds.view(shape),
        token_ids.view(shape),
        neighbour_ids.view(*shape, count),
        tuple(torch.cat(parts) for parts in latents),
        targets.view(shape),
        segment_ids.view(shape) if any(len(row) > 1 for row in rows) else None,
    )


def _check_latents(span: LatentSpan, latent_dims: Sequence[int]) -> None:
    if not 0 <= span.modality < len(latent_dims):
        raise ValueError(
            f"a span of latents is of modality {span.modality}; expected 0 to "
            f"{len(latent_dims) - 1}, a place in the model's list of modalities"
            if latent_dims
            else "a span of latents for a model without modalities; give the model one"
        )
    name = f"latents of modality {span.modality}"
    check_shape(name, span.latents, "n", latent_dims[span.modality])


def _neighbours(span: TokenSpan, count: int) -> Tensor:
    """The neighbours of a span, (n, count); NO_NEIGHBOUR everywhere if it has none."""
    if span.neighbours is None:
        return torch.full((len(span.ids), count), NO_NEIGHBOUR)
    check_shape("neighbours of a span of tokens", span.neighbours, len(span.ids), count)
    return torch.as_tensor(span.neighbours)
