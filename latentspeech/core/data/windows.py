"""How an epoch is divided into windows: a few shards each, drawn anew every epoch.

A corpus is stored in some order (speech by book), so a shard alone is of a few groups. Shuffling
the shards and then the items of some of them at once comes close to shuffling the corpus, and only
a few shards must be known to plan a window.
"""

from collections.abc import Sequence

import torch

from latentspeech.core.tensors import make_generator


def num_windows(num_shards: int, shards_per_window: int) -> int:
    """How many windows `num_shards` make."""
    return -(-num_shards // shards_per_window)


def shards_of_window(
    shards: Sequence[int], shards_per_window: int, seed: int, epoch: int, window: int
) -> list[int]:
    """The shards of one window, rising; each shard is in exactly one window of an epoch.

    The windows of an epoch are as large as each other but for one shard, so none is tiny.
    """
    order = torch.randperm(len(shards), generator=make_generator(seed, "shards", epoch))
    parts = order.tensor_split(num_windows(len(shards), shards_per_window))
    return sorted(shards[place] for place in parts[window].tolist())
