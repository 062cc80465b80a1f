import itertools

import pytest
import torch

from latentspeech.core.errors import DataError
from latentspeech.core.train.batches import Plan, load_batches
from tests.unit.core.train.toy_task import ToyData

CPU = torch.device("cpu")


class BrokenData(ToyData):
    def load(self, indices, seed):
        raise DataError(f"item {indices[0]} is corrupt")


def test_shares_are_equal_disjoint_and_in_plan_order():
    data = ToyData(num_items=28, batch_size=4)  # 7 batches
    shares = [Plan(data, 0, rank, 2).share(0) for rank in (0, 1)]
    assert [len(share) for share in shares] == [3, 3]
    plan = data.plan(0)
    assert [planned.items for planned in shares[0]] == plan[0:6:2]
    assert [planned.items for planned in shares[1]] == plan[1:6:2]
    uneven = [Plan(data, 0, rank, 2).share(0, even=False) for rank in (0, 1)]
    assert [len(share) for share in uneven] == [4, 3]
    seeds = [planned.seed for share in shares for planned in share]
    assert len(set(seeds)) == 6


def test_seed_belongs_to_the_batch_not_to_the_process():
    data = ToyData()
    alone = {tuple(p.items): p.seed for p in Plan(data, 3).share(1)}
    for rank in (0, 1):
        for planned in Plan(data, 3, rank, 2).share(1):
            assert alone[tuple(planned.items)] == planned.seed


def test_starting_in_the_middle_gives_the_rest():
    data = ToyData()
    whole = list(itertools.islice(Plan(data, 0), 20))
    later = Plan(data, 0)
    later.start_at(whole[7].epoch, whole[7].position)
    assert list(itertools.islice(later, 13)) == whole[7:]
    beyond = Plan(data, 0)
    beyond.start_at(0, 6)  # the end of an epoch is the start of the next
    assert next(iter(beyond)) == whole[6]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_loaded_batches_keep_the_order(num_workers):
    plan = Plan(ToyData(), 0).share(0)
    pairs = list(load_batches(ToyData(), plan, num_workers, CPU))
    assert [planned for planned, _ in pairs] == plan
    assert all(batch["id"].tolist() == planned.items for planned, batch in pairs)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_user_error_of_a_worker_arrives_as_one_line(num_workers):
    plan = Plan(ToyData(), 0).share(0)
    with pytest.raises(DataError, match=r"^item \d+ is corrupt$"):
        list(load_batches(BrokenData(), plan, num_workers, CPU))


def test_too_few_batches_for_the_processes():
    with pytest.raises(DataError, match="fewer batches than the 3 processes"):
        next(iter(Plan(ToyData(num_items=8, batch_size=4), 0, 0, 3)))
