"""The division of an epoch into windows of a few shards each, drawn anew every epoch.

A corpus is stored in some order (speech by book), so one shard holds only a few groups. To shuffle
the shards and then the items of a window's shards is almost as good as to shuffle the corpus, and
only a few shards must be known to plan a window.
"""

from collections.abc import Sequence

import torch

from latentspeech.core.tensors import make_generator


def num_windows(num_shards: int, shards_per_window: int) -> int:
    """The number of windows of `num_shards` shards."""
    return -(-num_shards // shards_per_window)


def shards_of_window(
    shards: Sequence[int], shards_per_window: int, seed: int, epoch: int, window: int
) -> list[int]:
    """The shards of one window in rising order; each shard is in one window of an epoch.

    The sizes of an epoch's windows differ by at most one shard, so none is tiny.
    """
    order = torch.randperm(len(shards), generator=make_generator(seed, "shards", epoch))
    parts = order.tensor_split(num_windows(len(shards), shards_per_window))
    return sorted(shards[place] for place in parts[window].tolist())
