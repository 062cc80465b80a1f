import json
import math

import pytest
import torch

from latentspeech.core.train.metric_log import Mean, MetricLog, MetricMean, merge_means


def test_means_count_each_name_alone():
    means = MetricMean()
    means.add({"a": torch.tensor(1.0), "b": 4.0})
    means.add({"a": torch.tensor(2.0, dtype=torch.bfloat16)})
    taken = means.take()
    assert taken == {"a": (3.0, 2), "b": (4.0, 1)}
    assert means.take() == {}
    assert merge_means([taken, {"a": (6.0, 1)}, {}]) == {"a": 3.0, "b": 4.0}


def test_means_are_over_elements():
    parts = []
    for value, count in [(1.0, 3), (5.0, 1), (7.0, 0)]:
        means = MetricMean()
        means.add({"loss": Mean(torch.tensor(value), torch.tensor(count)), "time": 2.0})
        parts.append(means.take())
    assert merge_means(parts) == {"loss": 2.0, "time": 2.0}
    assert merge_means([{"loss": (0.0, 0)}]) == {}, "no elements, no mean"


def read(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_lines_are_flushed_and_not_finite_is_null(tmp_path):
    with MetricLog(tmp_path, 0) as log:
        log.write(1, 0.5, {"train/loss": 1.25, "train/bad": math.nan})
        assert read(tmp_path) == [
            {"step": 1, "seconds": 0.5, "train/bad": None, "train/loss": 1.25}
        ]


def test_resume_drops_later_and_broken_lines(tmp_path):
    with MetricLog(tmp_path, 0) as log:
        for step in (1, 2, 3, 4):
            log.write(step, 0.0, {"train/loss": float(step)})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "train/lo')
    with MetricLog(tmp_path, 2) as log:
        log.write(3, 0.0, {"train/loss": 30.0})
    assert [(line["step"], line["train/loss"]) for line in read(tmp_path)] == [
        (1, 1.0),
        (2, 2.0),
        (3, 30.0),
    ]


def test_tensorboard_gets_the_same(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with MetricLog(tmp_path, 0) as log:
        log.write(3, 0.0, {"train/loss": 0.5})
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("train/loss")
    assert [(event.step, event.value) for event in events] == [(3, 0.5)]


def test_other_processes_write_nothing(tmp_path):
    with MetricLog(tmp_path, 0, enabled=False) as log:
        log.write(1, 0.0, {"train/loss": 1.0})
    assert list(tmp_path.iterdir()) == []
