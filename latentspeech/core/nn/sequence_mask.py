"""The mask of attention: which elements of a sequence each element sees.

Three facts decide it:

    order     causal: an element sees itself and the elements before it. Bidirectional: it sees all.
    segments  sequences packed into one row: no element sees an element of another segment.
    blocks    elements of one block, for instance the latents of one image, see each other in both
              directions, on top of causal order (Zhou et al. 2024, arXiv 2408.11039).

Segments and blocks are runs of equal ids in neighbouring elements. So an element sees one unbroken
range of keys around itself, which two indices describe, its `first` and its `last` key:

    segment   a a a a a a b b b        element 3 sees keys 0 to 4 (it is in the block),
    block     . . # # # . . . .        element 5 sees keys 0 to 5,
    index     0 1 2 3 4 5 6 7 8        element 7 sees keys 6 and 7.

From one element to the next, neither index ever decreases. FlexAttention (Dong et al. 2024, arXiv
2412.05496) skips the tiles of 128 x 128 in which no query sees a key. Because the indices never
decrease, the first and the last query of a tile suffice to find those tiles.

B rows, T queries, S keys, N = T / 128 tiles.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

from latentspeech.core.errors import ConfigError
from latentspeech.core.tensors import check_shape

TILE = 128

PlainMask = Literal["causal", "all"]
AttentionMask = PlainMask | Tensor | BlockMask  # tensors are (B, 1, T, S), True where a query sees


@dataclass(frozen=True)
class SequenceMask:
    """Each query's first and last visible key, and the forms in which attention takes them."""

    num_keys: int
    last: Tensor  # (B, T); (1, T) if plain
    first: Tensor | None = None  # (B, T); None: key 0
    plain: PlainMask | None = None  # the same mask in one word, if attention needs no tensor

    @classmethod
    def whole(
        cls, index: Tensor, causal: bool, segment_ids: Tensor | None, block_ids: Tensor | None
    ) -> "SequenceMask":
        """The mask of whole sequences, whose elements are both the queries and the keys.

        Args:
            index: (T,) 0 to T - 1, on the device where the mask is used.
            causal: whether an element sees only itself and the elements before it.
            segment_ids: (B, T) a number for each packed sequence; None: one sequence a row.
            block_ids: (B, T) a number >= 0 for each block, -1 outside; None: no blocks. A block
                ends where its segment ends.

        Raises:
            ConfigError: blocks were given without causal order, so they would change nothing.
        """
        if block_ids is not None and not causal:
            raise ConfigError(
                "block_ids were given, but without causal order all elements see each other "
                "anyway; expected them with causal: true only, so leave them out"
            )
        length = len(index)
        _check_ids(segment_ids, block_ids, length)
        if segment_ids is None and block_ids is None:
            last = index if causal else index.new_full((length,), length - 1)
            return cls(length, last[None], plain="causal" if causal else "all")
        first = None if segment_ids is None else run_bounds(segment_ids)[0]  # (B, T)
        last = run_bounds(*(ids for ids in (segment_ids, block_ids) if ids is not None))[1]
        if causal and block_ids is None:
            last = index.expand_as(last)
        elif block_ids is not None:
            last = last.where(block_ids >= 0, index)
        return cls(length, last, first)

    @classmethod
    def after_cache(
        cls, positions: Tensor, num_keys: int, block_ids: Tensor | None
    ) -> "SequenceMask":
        """The mask of new elements after a cache; they see all keys that their row already holds.

        Args:
            positions: (B, T) of the new elements in their rows; consecutive in each row.
            num_keys: S; no element of a row sees the keys past the row's end.
            block_ids: (B, T) as in `whole`, no block reaching beyond the T; None: no blocks.
        """
        last = positions
        if block_ids is not None:
            check_shape("block_ids", block_ids, *positions.shape)
            ends = positions[:, :1] + run_bounds(block_ids)[1]  # (B, T)
            last = ends.where(block_ids >= 0, positions)
        return cls(num_keys, last)

    def prepare(self, flex: bool) -> AttentionMask:
        """The mask as attention takes it: the plain word, `block_mask` if `flex`, else `dense`."""
        if self.plain is not None:
            return self.plain
        return self.block_mask() if flex else self.dense()

    def dense(self) -> Tensor:
        """The mask as a tensor (B or 1, 1, T, S), True where a query sees a key."""
        keys = torch.arange(self.num_keys, device=self.last.device)
        seen = keys <= self.last[:, None, :, None]
        return seen if self.first is None else seen & (keys >= self.first[:, None, :, None])

    def block_mask(self) -> BlockMask:
        """The mask for FlexAttention. Call it for whole sequences that have no plain mask."""
        last = self.last
        first = torch.zeros_like(last) if self.first is None else self.first
        tiles = torch.arange(-(-self.num_keys // TILE), device=last.device)  # (N,)
        start = tiles * TILE
        end = start + TILE - 1
        top, bottom = start, end.clamp(max=self.num_keys - 1)  # first and last query of a tile
        some = (end >= first[:, top, None]) & (start <= last[:, bottom, None])  # (B, N, N)
        full = (start >= first[:, bottom, None]) & (end <= last[:, top, None])  # by all queries
        partial_count, partial_order = _listed(some & ~full)
        full_count, full_order = _listed(full)

        def visible(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return (key >= first[b, query]) & (key <= last[b, query])

        return BlockMask.from_kv_blocks(
            partial_count,
            partial_order,
            full_count,
            full_order,
            BLOCK_SIZE=TILE,
            mask_mod=visible,
            seq_lengths=(self.num_keys, self.num_keys),
        )


def _check_ids(segment_ids: Tensor | None, block_ids: Tensor | None, length: int) -> None:
    """Raises ValueError unless ids are (B, T), with one B and as many elements as the sequence."""
    num_rows: int | str = "B"
    if segment_ids is not None:
        check_shape("segment_ids", segment_ids, num_rows, length)
        num_rows = len(segment_ids)
    if block_ids is not None:
        check_shape("block_ids", block_ids, num_rows, length)


def run_bounds(*ids: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last index, (B, T) each, of the run of equal ids around each element.

    With several ids (B, T) a run ends where any of them changes.
    """
    index = torch.arange(ids[0].shape[1], device=ids[0].device).expand_as(ids[0])
    begins = torch.ones_like(ids[0], dtype=torch.bool)
    begins[:, 1:] = torch.stack([each[:, 1:] != each[:, :-1] for each in ids]).any(dim=0)
    ends = torch.ones_like(begins)
    ends[:, :-1] = begins[:, 1:]
    first = (index * begins).cummax(dim=1).values
    never = index.shape[1]
    last = torch.where(ends, index, never).flip(1).cummin(dim=1).values.flip(1)
    return first, last


def _listed(wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Turns booleans (B, N, N) into counts (B, 1, N) and indices (B, 1, N, N), True ones first."""
    order = wanted.to(torch.int32).argsort(dim=-1, descending=True, stable=True)
    return wanted.sum(dim=-1, dtype=torch.int32)[:, None], order.to(torch.int32)[:, None]
