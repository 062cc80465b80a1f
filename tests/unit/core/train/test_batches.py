import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentspeech.core.errors import DataError
from latentspeech.core.train.batches import Plan, load_batches
from tests.unit.core.train.toy_task import ToyData

CPU = torch.device("cpu")


class BrokenData(ToyData):
    def load(self, indices, seed):
        raise DataError(f"item {indices[0]} is corrupt")


def epoch_of(plan, epoch):
    """What a process gets in an epoch, by iterating."""
    plan.start_at(epoch, 0, 0)
    return list(itertools.takewhile(lambda planned: planned.epoch == epoch, plan))


corpora = st.builds(
    ToyData,
    num_items=st.integers(30, 60),
    batch_size=st.integers(2, 7),
    window_items=st.integers(15, 30),
)


@given(corpora, st.integers(1, 5), st.integers(1, 2), st.integers(0, 3))
def test_every_item_once_an_epoch_and_as_many_batches_for_each(data, world, accumulation, epoch):
    # A last window of one item is too small to share; the data of a run make even windows.
    data.num_items -= data.num_items % data.window_items
    shares = [epoch_of(Plan(data, 0, rank, world, accumulation), epoch) for rank in range(world)]
    seen = [item for share in shares for planned in share for item in planned.items]
    assert sorted(seen) == list(range(data.num_items))
    assert len({len(share) for share in shares}) == 1
    assert len(shares[0]) % accumulation == 0
    for planned in zip(*shares, strict=True):  # a step is of one window
        assert len({(one.window, one.position) for one in planned}) == 1
    seeds = [planned.seed for share in shares for planned in share]
    assert len(set(seeds)) == len(seeds)
    assert all(len(p.items) <= data.batch_size for share in shares for p in share)


@given(corpora, st.integers(1, 4), st.integers(0, 40), st.data())
def test_resume_at_any_point_continues_the_same_sequence(data, world, at, draw):
    data.num_items -= data.num_items % data.window_items
    rank = draw.draw(st.integers(0, world - 1))
    whole = list(itertools.islice(Plan(data, 3, rank, world), at + 10))
    later = Plan(data, 3, rank, world)
    if at:
        done = whole[at - 1]  # what a checkpoint holds: the batch after the last one
        later.start_at(done.epoch, done.window, done.position + 1)
    assert list(itertools.islice(later, 10)) == whole[at:]


def test_processes_and_accumulation_make_the_same_steps():
    data = ToyData(num_items=44, batch_size=4, window_items=22)  # 6 batches a window
    one = list(itertools.islice(Plan(data, 0, accumulation=4), 16))
    two = [list(itertools.islice(Plan(data, 0, rank, 2, 2), 8)) for rank in (0, 1)]
    for step in range(4):
        left = {(tuple(p.items), p.seed) for p in one[4 * step : 4 * step + 4]}
        right = {(tuple(p.items), p.seed) for r in two for p in r[2 * step : 2 * step + 2]}
        assert left == right


def test_a_whole_epoch_is_the_plan_as_it_is():
    data = ToyData(num_items=28, batch_size=4, window_items=16)  # 4 and 3 batches
    shares = [Plan(data, 0, rank, 2).whole_epoch(0) for rank in (0, 1)]
    assert [len(share) for share in shares] == [4, 3]
    planned = [data.plan(0, window) for window in (0, 1)]
    assert [p.items for p in shares[0]] == [*planned[0][0::2], *planned[1][0::2]]
    assert [p.items for p in shares[1]] == [*planned[0][1::2], *planned[1][1::2]]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_loaded_batches_keep_the_order(num_workers):
    plan = Plan(ToyData(), 0).share(0, 0)
    pairs = list(load_batches(ToyData(), plan, num_workers, CPU))
    assert [planned for planned, _ in pairs] == plan
    assert all(batch["id"].tolist() == planned.items for planned, batch in pairs)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_user_error_of_a_worker_arrives_as_one_line(num_workers):
    plan = Plan(ToyData(), 0).share(0, 0)
    with pytest.raises(DataError, match=r"^item \d+ is corrupt$"):
        list(load_batches(BrokenData(), plan, num_workers, CPU))


def test_too_few_items_for_the_processes():
    with pytest.raises(DataError, match=r"window 0 of epoch 0 has 2 items in 1 batches.*by 3"):
        next(iter(Plan(ToyData(num_items=2, batch_size=4), 0, 0, 3)))
    with pytest.raises(DataError, match="has no items"):
        next(iter(Plan(ToyData(num_items=0, batch_size=4, window_items=4), 0)))
