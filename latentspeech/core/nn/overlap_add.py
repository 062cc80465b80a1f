"""Overlap-add of equal, evenly spaced pieces, with the unfinished end as the state of a stream.

Piece n has K blocks and starts at block n. Its first block is finished once it is added; to the
other K - 1 the next pieces still add. Transposed convolution and inverse STFT are both this sum.

B batch, N pieces, K blocks a piece, S size of a block.
"""

import torch
from torch import Tensor


def overlap_add(parts: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
    """Adds pieces (B, N, K, S) to a tail (B, K - 1, S) -> finished blocks (B, N, S), new tail."""
    batch, num_parts, num_blocks, size = parts.shape
    total = torch.cat((parts[:, :, 0], parts.new_zeros(batch, num_blocks - 1, size)), dim=1)
    total[:, : num_blocks - 1] += tail
    for i in range(1, num_blocks):
        total[:, i : i + num_parts] += parts[:, :, i]
    return total[:, :num_parts], total[:, num_parts:]
