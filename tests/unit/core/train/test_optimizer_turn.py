"""A step's gradient is that of means over the elements of all its batches."""

import pytest
import torch
from torch import nn

from latentspeech.core.train.metric_log import Mean, MetricMean, merge_means
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec, build_optimizers
from latentspeech.core.train.optimizer_turn import StepBatches, TurnContext, run_turn
from latentspeech.core.train.processes.launcher import Launcher
from latentspeech.core.train.task import Losses, Task
from tests.unit.core.train.toy_task import ToyData, ToyTask, lines, run


class UnequalTask(Task):
    """Two parts over unlike numbers of rows, and a third that has one a batch."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 3)

    def optimizer_specs(self):
        config = OptimizerConfig(lr=0.1, clip_norm=0.0)
        return {"only": OptimizerSpec(self.layer, config)}

    def counts(self, batch, turn):
        return {"first": torch.tensor(len(batch[0])), "second": torch.tensor(len(batch[1]))}

    def training_step(self, batch, turn, step, generator):
        first, second = (self.layer(rows).square().sum(1) for rows in batch)
        parts = {
            "first": first.mean() if len(first) else first.sum(),
            "second": 0.5 * second.mean() if len(second) else second.sum(),
            "plain": self.layer.weight.square().sum(),
        }
        metrics = {"train/first": Mean(parts["first"].detach(), len(first))}
        return Losses(parts, metrics, "train/loss")

    def validation_step(self, batch, generator):
        return {}

    def averaged_module(self):
        return self.layer


def step(task, batches, tmp_path, monkeypatch):
    """The gradient that reaches the optimizer, and the log's means."""
    launcher = Launcher(0, 1, "32")
    context = TurnContext(task, launcher.wrap(task), launcher, 0, tmp_path)
    optimizer = build_optimizers(task.optimizer_specs(), task)["only"]
    seen = []

    def clip():
        seen.append(task.layer.weight.grad.clone())
        return torch.ones(())

    monkeypatch.setattr(optimizer, "clip", clip)
    means = MetricMean()
    for metrics in run_turn(context, optimizer, StepBatches(0, [], batches)):
        means.add(metrics)
    return seen[0], merge_means([means.take()])


def rows(*counts):
    generator = torch.Generator().manual_seed(sum(counts))
    return tuple(torch.randn(count, 4, generator=generator) for count in counts)


def test_accumulated_batches_weigh_by_their_elements(tmp_path, monkeypatch):
    task = UnequalTask()
    batches = [rows(5, 1), rows(1, 0), rows(2, 7)]
    weight = task.layer.weight.detach().requires_grad_()
    outputs = [
        nn.functional.linear(torch.cat(part), weight, task.layer.bias.detach()).square().sum(1)
        for part in zip(*batches, strict=True)
    ]
    assert [len(output) for output in outputs] == [8, 8]
    # The reference: all elements at once, no batches.
    objective = outputs[0].mean() + 0.5 * outputs[1].mean() + weight.square().sum()
    (expected,) = torch.autograd.grad(objective, weight)
    found, means = step(task, batches, tmp_path, monkeypatch)
    torch.testing.assert_close(found, expected)
    assert means["train/loss"] == pytest.approx(float(objective), rel=1e-6)
    assert means["train/first"] == pytest.approx(float(outputs[0].mean()), rel=1e-6)


def test_a_part_that_no_batch_has_is_nothing(tmp_path, monkeypatch):
    found, means = step(UnequalTask(), [rows(3, 0), rows(2, 0)], tmp_path, monkeypatch)
    assert torch.isfinite(found).all()
    assert means["train/loss"] > 0


def test_a_batch_alone_asks_for_no_counts(tmp_path, monkeypatch):
    task = UnequalTask()
    monkeypatch.setattr(task, "counts", None)
    batch = rows(2, 3)
    total = task.training_step(batch, "only", 0, None).total
    (expected,) = torch.autograd.grad(total, task.layer.weight)
    found, means = step(task, [batch], tmp_path, monkeypatch)
    assert torch.equal(found, expected)
    assert means["train/loss"] == float(total)


class CountingToy(ToyTask):
    """Validation means weighted by rows."""

    def validation_step(self, batch, generator):
        return {"valid/id": Mean(batch["id"].double().mean(), len(batch["id"]))}


def test_validation_means_are_over_elements(tmp_path):
    data = ToyData(num_items=10, batch_size=4, shuffle=False)  # batches of 4, 4 and 2
    run(tmp_path, 1, task=CountingToy(), validate_data=data)
    (line,) = [line for line in lines(tmp_path) if "valid/id" in line]
    assert line["valid/id"] == pytest.approx(4.5)
