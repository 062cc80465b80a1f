"""Batches of items of similar length: every item once an epoch, little padding, bounded memory.

Items are sorted by length, divided into equal classes, shuffled within each class and packed
greedily. Items that do not fill a batch of one class begin the first batch of the next longer one.
Then the batches are shuffled.
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
    """Returns the batches of an epoch as lists of indices, the same for the same arguments.

    Args:
        lengths: latents of each item, at least 1.
        max_total_latents: limit on (longest item of a batch) x (its number of items).
        max_batch_size: limit on the number of items of a batch.
        seed: the run's seed.
        epoch: changes the order and which items share a batch.
        num_buckets: number of length classes; more classes mean less padding and less mixing.
        names: the items' names for error messages; None: their indices.

    Raises:
        DataError: an item, which the message names, is empty or longer than `max_total_latents`.
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
    # The stable sort keeps the random order of equal lengths, so they change class between epochs.
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
    """Does what `plan_batches` does, but without padding: it limits the sum of a batch's lengths.

    A batch holds items of any length, in random order.
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
