import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentspeech.core.data.bucketing import plan_batches
from latentspeech.core.errors import ConfigError, DataError


def plan(lengths, max_total=200, max_size=8, seed=0, epoch=0, buckets=4, names=None):
    return plan_batches(lengths, max_total, max_size, seed, epoch, buckets, names)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 100), max_size=120),
    max_total=st.integers(100, 400),
    max_size=st.integers(1, 20),
    buckets=st.integers(1, 30),
    epoch=st.integers(0, 3),
)
def test_every_index_once_and_within_both_limits(lengths, max_total, max_size, buckets, epoch):
    batches = plan(lengths, max_total, max_size, 1, epoch, buckets)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= max_size
        assert max(lengths[i] for i in batch) * len(batch) <= max_total


def test_the_plan_depends_on_seed_and_epoch_only():
    lengths = [1 + (7 * i) % 50 for i in range(300)]
    assert plan(lengths) == plan(lengths)
    others = [plan(lengths, epoch=1), plan(lengths, seed=1)]
    assert all(other != plan(lengths) for other in others)
    # Not only the order of the batches: who shares one changes too.
    together = {frozenset(batch) for batch in plan(lengths)}
    assert all(len(together & {frozenset(b) for b in other}) < 5 for other in others)


def test_lengths_of_batches_come_in_no_order():
    lengths = list(range(1, 201))
    means = [sum(lengths[i] for i in b) / len(b) for b in plan(lengths, 2000, 8)]
    assert means != sorted(means)
    assert means != sorted(means, reverse=True)


def test_buckets_reduce_padding():
    lengths = [1 + (37 * i) % 97 for i in range(1000)]

    def padded(buckets):
        batches = plan(lengths, 1000, 100, buckets=buckets)
        return sum(max(lengths[i] for i in b) * len(b) for b in batches) / sum(lengths)

    assert padded(20) < 1.1 < 1.4 < padded(1)


def test_few_batches_are_small():
    # Leftovers of a class go into the next: only the limits end a batch, and the last class.
    batches = plan([10] * 103, 1000, 10, buckets=10)
    assert sorted(map(len, batches)) == [3] + [10] * 10


@pytest.mark.parametrize("length", [201, 0])
def test_an_impossible_item_is_named(length):
    with pytest.raises(DataError, match=rf"^utt-b has {length} latents.*1 to 200.*raise"):
        plan([10, length], names=["utt-a", "utt-b"])
    with pytest.raises(DataError, match=r"item 1 .*and 1 more"):
        plan([10, length, length])


def test_no_items_give_no_batches_and_zero_sizes_are_refused():
    assert plan([]) == []
    with pytest.raises(ConfigError, match="max_batch_size is 0"):
        plan([1], max_size=0)
