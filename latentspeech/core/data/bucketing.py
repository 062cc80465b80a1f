"""Batches of items of similar length: every item once an epoch, little padding, a bound on memory.

Items are sorted by length, cut into equal classes, shuffled inside each and packed greedily; what
does not fill a batch of one class opens the first batch of the next longer one. Then the batches
are shuffled.
"""

from collections.abc import Sequence

import torch

from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.tensors import make_generator


def plan_batches(
    lengths: Sequence[int],
    max_total_latents: int,
    max_batch_size: int,
    seed: int,
    epoch: int,
    num_buckets: int,
    names: Sequence[str] | None = None,
) -> list[list[int]]:
    """The batches of an epoch as lists of indices, the same for the same arguments.

    Args:
        lengths: latents of each item, at least 1.
        max_total_latents: limit on (longest item of a batch) x (its number of items).
        max_batch_size: limit on the number of items of a batch.
        seed: of the run.
        epoch: changes the order and who shares a batch with whom.
        num_buckets: length classes; more means less padding and less mixing.
        names: of the items, for error messages; their indices otherwise.

    Raises:
        DataError: an item is empty or longer than `max_total_latents`; it is named.
    """
    if max_batch_size < 1 or num_buckets < 1:
        raise ConfigError(
            f"max_batch_size is {max_batch_size} and num_buckets {num_buckets}; expected 1 or more"
        )
    if not lengths:
        return []
    sizes = torch.tensor(lengths)
    _check_lengths(sizes, max_total_latents, names)
    generator = make_generator(seed, "bucketing", epoch)
    # The stable sort keeps the random order among equals, so they change buckets between epochs.
    shuffled = torch.randperm(len(sizes), generator=generator)
    by_length = shuffled[sizes[shuffled].argsort(stable=True)]
    batches: list[list[int]] = []
    open_batch: list[int] = []
    for bucket in by_length.tensor_split(min(num_buckets, len(sizes))):
        order = bucket[torch.randperm(len(bucket), generator=generator)].tolist()
        full, open_batch = _pack(open_batch + order, lengths, max_total_latents, max_batch_size)
        batches += full
    if open_batch:
        batches.append(open_batch)
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def plan_packed(
    lengths: Sequence[int],
    max_total_latents: int,
    max_batch_size: int,
    seed: int,
    epoch: int,
    names: Sequence[str] | None = None,
) -> list[list[int]]:
    """As `plan_batches` where nothing is padded: the sum of a batch's lengths is limited.

    Items of any lengths meet, in random order.
    """
    if not lengths:
        return []
    _check_lengths(torch.tensor(lengths), max_total_latents, names)
    order = torch.randperm(len(lengths), generator=make_generator(seed, "packing", epoch))
    batches: list[list[int]] = [[]]
    total = 0
    for index in order.tolist():
        total += lengths[index]
        if batches[-1] and (total > max_total_latents or len(batches[-1]) == max_batch_size):
            batches.append([])
            total = lengths[index]
        batches[-1].append(index)
    return batches


def _pack(
    order: list[int], lengths: Sequence[int], max_total: int, max_size: int
) -> tuple[list[list[int]], list[int]]:
    """Fills batches in the given order; returns the full ones and the one still open."""
    full: list[list[int]] = []
    batch: list[int] = []
    longest = 0
    for index in order:
        grown = max(longest, lengths[index])
        if batch and (len(batch) == max_size or grown * (len(batch) + 1) > max_total):
            full.append(batch)
            batch, grown = [], lengths[index]
        batch.append(index)
        longest = grown
    return full, batch


def _check_lengths(sizes: torch.Tensor, max_total: int, names: Sequence[str] | None) -> None:
    bad = ((sizes > max_total) | (sizes < 1)).nonzero().flatten().tolist()
    if not bad:
        return
    first = bad[0]
    name = f"item {first}" if names is None else names[first]
    others = f" (and {len(bad) - 1} more like it)" if len(bad) > 1 else ""
    raise DataError(
        f"{name} has {int(sizes[first])} latents{others}; expected 1 to {max_total} "
        "(max_total_latents); raise that limit or leave the item out"
    )
