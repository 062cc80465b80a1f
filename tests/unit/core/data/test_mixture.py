"""Sources mixed by weight: proportions, coverage, determinism, memory, shares and resume."""

import pickle
from collections import Counter

import pytest
import torch
from pydantic import ValidationError

from latentspeech.core.data.mixture import MixedData, MixtureConfig
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.train.batches import Plan
from tests.unit.core.train.toy_task import ToyData, ToyTask, run, untimed


def sources() -> list[ToyData]:
    """13, 7 and 4 batches of at most 3 items an epoch, in several windows and one."""
    return [
        ToyData(num_items=39, batch_size=3, window_items=18, seed=1),
        ToyData(num_items=20, batch_size=3, seed=2),
        ToyData(num_items=11, batch_size=3, seed=3),
    ]


def mixture(num_windows: int = 4, rounds: int = 6, seed: int = 0) -> MixedData:
    config = MixtureConfig(weights=(2, 1, 1), rounds=rounds, num_windows=num_windows)
    return MixedData(sources(), config, seed)


def source_of(batch: list) -> int:
    (source,) = {item.source for item in batch}
    return source


def test_every_round_has_the_proportions() -> None:
    data = mixture()
    for window in range(4):
        kinds = [source_of(batch) for batch in data.plan(0, window)]
        rounds = [tuple(kinds[start : start + 4]) for start in range(0, len(kinds), 4)]
        assert len(rounds) == 6
        assert all(Counter(one) == {0: 2, 1: 1, 2: 1} for one in rounds)
        assert len(set(rounds)) > 1, "the order inside a round is random"


def test_an_exhausted_source_begins_again_shuffled_anew() -> None:
    data = mixture()
    batches = [batch for window in range(4) for batch in data.plan(0, window)]
    streams = [
        [[item.item for item in batch] for batch in batches if source_of(batch) == source]
        for source in range(3)
    ]
    for stream, (length, num_items) in zip(streams, [(13, 39), (7, 20), (4, 11)], strict=True):
        passes = [stream[start : start + length] for start in range(0, len(stream), length)]
        whole = [one for one in passes if len(one) == length]
        assert len(whole) >= 3
        for one in whole:
            assert sorted(item for batch in one for item in batch) == list(range(num_items))
        assert whole[0] != whole[1] != whole[2]


def test_a_plan_depends_on_seed_epoch_and_window_alone() -> None:
    straight = mixture()
    plans = {(e, w): straight.plan(e, w) for e in range(2) for w in range(4)}
    for place in [(1, 2), (0, 3), (0, 1), (1, 2), (1, 3)]:
        assert straight.plan(*place) == mixture().plan(*place) == plans[place]
    assert plans[0, 0] != plans[1, 0] != plans[1, 1]
    assert mixture(seed=1).plan(0, 0) != plans[0, 0]


def test_memory_does_not_grow_with_the_epoch() -> None:
    data = mixture(num_windows=300)
    sizes = []
    for window in range(300):
        data.plan(0, window)
        sizes.append(len(pickle.dumps(data)))
    assert max(sizes[150:]) <= max(sizes[:150]) + 8  # longer numbers


def test_processes_get_disjoint_shares_of_whole_batches() -> None:
    plans = [Plan(mixture(), seed=0, rank=rank, world_size=2, accumulation=2) for rank in (0, 1)]
    shares = [[batch.items for batch in plan.share(0, 1)] for plan in plans]
    interleaved = [batch for pair in zip(*shares, strict=True) for batch in pair]
    assert interleaved == mixture().plan(0, 1)


def test_the_source_loads_its_own_items() -> None:
    data = mixture()
    batch = data.plan(0, 0)[0]
    loaded = data.load(batch, seed=9)
    own = data.sources[source_of(batch)]
    assert own.loaded == [(tuple(item.item for item in batch), 9)]
    assert torch.equal(loaded["id"], torch.tensor([item.item for item in batch]))


def test_resume_is_exact(tmp_path) -> None:
    """Stopped in the second window of the second epoch, with two batches a step."""
    settings = {"accumulation": 2}
    whole = run(tmp_path / "whole", 23, ToyTask(), mixture(2, 4), **settings)
    run(tmp_path / "parts", 13, ToyTask(), mixture(2, 4), **settings)
    parts = run(tmp_path / "parts", 23, ToyTask(seed=1), mixture(2, 4), **settings)
    assert whole.step == parts.step == 23
    first = [line for line in untimed(tmp_path / "whole") if "train/model_loss" in line]
    second = [line for line in untimed(tmp_path / "parts") if "train/model_loss" in line]
    assert first == second
    assert len(first) == 23


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"weights = \(2, 1, 1\) for 2 sources"):
        MixedData(sources()[:2], mixture().config, 0)
    with pytest.raises(ValidationError, match="greater than 0"):
        MixtureConfig(weights=(1, 0), num_windows=1)
    nothing = ToyData(num_items=8)
    nothing.plan = lambda epoch, window: []
    config = MixtureConfig(weights=(1, 1), num_windows=1)
    with pytest.raises(DataError, match="has no batches"):
        MixedData([ToyData(), nothing], config, 0).plan(0, 0)
