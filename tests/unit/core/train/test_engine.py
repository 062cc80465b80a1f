import json
import logging

import pytest
import torch
from safetensors.torch import load_file

from latentspeech.core.errors import CheckpointError, ConfigError, InputError
from latentspeech.core.train.optimizer_turn import NonFiniteError
from latentspeech.core.train.processes import launcher
from latentspeech.core.train.state import checkpoint
from tests.unit.core.train.toy_task import ToyData, ToyTask, lines, run, untimed


def weights(task):
    return {name: value.clone() for name, value in task.state_dict().items()}


def test_training_learns_and_fills_the_run_folder(tmp_path):
    task = ToyTask(dropout=0.0, noise=0.0)
    result = run(tmp_path / "run", 60, task=task, checkpoint_every=20, keep_checkpoints=2)
    assert (result.step, result.reason) == (60, "max_steps")
    names = {item.name for item in (tmp_path / "run").iterdir()}
    assert {"config.yaml", "checkpoints", "metrics.jsonl"} <= names
    steps = sorted(item.name for item in (tmp_path / "run" / "checkpoints").iterdir())
    assert steps == ["step_00000040", "step_00000060"]
    losses = [line["train/l2"] for line in lines(tmp_path / "run") if "train/l2" in line]
    assert len(losses) == 60
    assert sum(losses[-6:]) < 0.7 * sum(losses[:6])
    valid = [line["step"] for line in lines(tmp_path / "run") if "valid/l2" in line]
    assert valid == list(range(4, 61, 4))


def test_turns_follow_the_task_and_own_only_their_parameters(tmp_path):
    task = ToyTask(critic_from=2)
    before = weights(task)
    run(tmp_path, 2, task=task)
    for name, value in task.state_dict().items():
        same = torch.equal(before[name], value)
        assert same == name.startswith("critic"), name
    assert not any("train/critic_loss" in line for line in lines(tmp_path))
    run(tmp_path, 3, task=task)
    assert not torch.equal(before["critic.weight"], task.critic.weight)
    assert "optim/critic_grad_norm" in lines(tmp_path)[-2]
    assert all(p.requires_grad and p.grad is None for p in task.parameters())


def test_validation_scores_the_averaged_weights(tmp_path):
    task = ToyTask(noise=0.0)
    run(tmp_path, 4, task=task)
    (score,) = [line["valid/l2"] for line in lines(tmp_path) if "valid/l2" in line]
    data = ToyData(num_items=8, seed=5)
    averaged = ToyTask()
    path = tmp_path / "checkpoints" / "step_00000004"
    averaged.model.load_state_dict(load_file(path / "ema.safetensors"))

    def mean(module):
        module.eval()
        batches = [data.load(items, 0)["x"] for items in data.plan(0, 0)]
        with torch.no_grad():
            values = [(module.model(x) - x.flip(1)).square().mean() for x in batches]
        return float(torch.stack(values).mean())

    assert score == pytest.approx(mean(averaged), rel=1e-5)
    assert score != pytest.approx(mean(task), rel=1e-3)


def test_two_accumulated_batches_equal_one_of_double_size(tmp_path):
    double, halves = ToyTask(dropout=0.0, noise=0.0), ToyTask(dropout=0.0, noise=0.0)
    run(tmp_path / "a", 4, task=double, data=ToyData(batch_size=8))
    run(tmp_path / "b", 4, task=halves, data=ToyData(batch_size=4), accumulation=2)
    for name, value in double.named_parameters():
        torch.testing.assert_close(halves.get_parameter(name), value, rtol=1e-4, atol=1e-6)
    first = [line["train/model_loss"] for line in lines(tmp_path / "a") if "train/l2" in line]
    second = [line["train/model_loss"] for line in lines(tmp_path / "b") if "train/l2" in line]
    assert second == pytest.approx(first, rel=1e-4)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_non_finite_loss_stops_before_the_update(tmp_path, accumulation):
    data = ToyData(shuffle=False)
    run(tmp_path, 2, data=data, accumulation=accumulation)
    task = ToyTask()
    data.bad_item = 10 if accumulation == 1 else 22  # in the third step
    with pytest.raises(NonFiniteError, match="step 2, turn 'critic'") as caught:
        run(tmp_path, 4, task=task, data=data, accumulation=accumulation)
    assert f" {data.bad_item}" in str(caught.value)
    saved = load_file(tmp_path / "checkpoints" / "step_00000002" / "model.safetensors")
    assert all(torch.equal(saved[name], value) for name, value in task.state_dict().items())
    record = json.loads((tmp_path / "nonfinite.json").read_text())
    assert (record["step"], record["turn"]) == (2, "critic")
    assert any(data.bad_item in batch["items"] for batch in record["batches"])
    assert len(record["batches"]) == accumulation
    # Mended data: the run goes on from the checkpoint.
    data.bad_item = None
    assert run(tmp_path, 4, data=data, accumulation=accumulation).step == 4


def test_a_non_finite_loss_costs_its_own_step_only(tmp_path):
    """The steps since the last periodic checkpoint are saved before the run stops."""
    data = ToyData(shuffle=False, bad_item=18)  # in the fifth step
    with pytest.raises(NonFiniteError, match="step 4"):
        run(tmp_path / "a", 6, data=data, checkpoint_every=1000)
    assert checkpoint.newest_checkpoint(tmp_path / "a").state.step == 4
    data.bad_item = None
    run(tmp_path / "a", 6, data=data, checkpoint_every=1000)
    run(tmp_path / "b", 6, data=ToyData(shuffle=False), checkpoint_every=1000)
    name = "checkpoints/step_00000006/model.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_non_finite_steps_may_be_dropped(tmp_path, caplog):
    data = ToyData(shuffle=False, bad_item=10)  # in the third step of each epoch of six
    task = ToyTask()
    with caplog.at_level(logging.WARNING):
        assert run(tmp_path / "a", 14, task=task, data=data, skip_non_finite=1).step == 14
    assert [r.getMessage().count("dropped, 1 of 1 in a row") for r in caplog.records] == [1, 1]
    assert "items" in caplog.text
    assert "10" in caplog.text
    assert all(value.isfinite().all() for value in task.state_dict().values())
    # The dropped step changed nothing: weights and averages are those of the step before.
    run(tmp_path / "b", 3, data=ToyData(shuffle=False, bad_item=10), skip_non_finite=1,
        checkpoint_every=1)  # fmt: skip
    for part in ("model", "ema", "optimizer"):
        before, after = (
            load_file(tmp_path / "b" / f"checkpoints/step_0000000{step}/{part}.safetensors")
            for step in (2, 3)
        )
        assert all(torch.equal(before[name], after[name]) for name in before if "count" not in name)


def test_too_many_non_finite_steps_in_a_row_stop(tmp_path):
    class Broken(ToyData):
        def load(self, indices, seed):
            batch = super().load(indices, seed)
            return {**batch, "x": batch["x"] * float("nan")} if len(self.loaded) > 3 else batch

    with pytest.raises(NonFiniteError, match="step 5"):
        run(tmp_path, 9, data=Broken(), skip_non_finite=2)
    assert run(tmp_path, 7, skip_non_finite=2).step == 7


def test_recomputation_changes_nothing(tmp_path):
    """Dropout included: the second pass draws what the first did."""
    run(tmp_path / "a", 4)
    run(tmp_path / "b", 4, activation_checkpointing=True)
    assert untimed(tmp_path / "a") == untimed(tmp_path / "b")


@pytest.mark.slow
def test_compiled_it_computes_the_same(tmp_path):
    for name, settings in {"a": {}, "b": {"compile": True}}.items():
        run(tmp_path / name, 4, task=ToyTask(dropout=0.0), **settings)
    for one, other in zip(untimed(tmp_path / "a"), untimed(tmp_path / "b"), strict=True):
        assert other == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize("setting", ["activation_checkpointing", "compile"])
def test_a_task_without_blocks_refuses_what_needs_them(tmp_path, setting):
    class Blockless(ToyTask):
        def units(self):
            return ()

    with pytest.raises(ConfigError, match=f"train.{setting}: true works block by block"):
        run(tmp_path, 2, task=Blockless(), **{setting: True})


def test_non_finite_gradient_of_a_finite_loss_stops_too(tmp_path):
    class RootTask(ToyTask):
        def training_step(self, batch, turn, step, generator):
            losses = super().training_step(batch, turn, step, generator)
            zero = sum(
                p.sum() for p in (self.model if turn == "model" else self.critic).parameters()
            )
            return losses._replace(parts={"loss": losses.total + (zero * 0.0).sqrt()})

    task = RootTask()
    before = weights(task)
    with pytest.raises(NonFiniteError, match="gradient norm nan"):
        run(tmp_path, 1, task=task)
    assert all(torch.equal(before[name], value) for name, value in task.named_parameters())


def test_damaged_newest_checkpoint_falls_back_and_the_curve_does_not_fork(tmp_path, caplog):
    run(tmp_path / "a", 8)
    run(tmp_path / "b", 6)
    (tmp_path / "b/checkpoints/step_00000006/model.safetensors").write_bytes(b"torn")
    with caplog.at_level(logging.WARNING):
        run(tmp_path / "b", 8)
    assert "step_00000006 is damaged" in caplog.text
    assert untimed(tmp_path / "a") == untimed(tmp_path / "b")
    steps = [line["step"] for line in lines(tmp_path / "b") if "train/l2" in line]
    assert steps == list(range(1, 9))
    assert checkpoint.newest_checkpoint(tmp_path / "b").state.step == 8


def test_full_disk_stops_and_a_second_try_goes_on(tmp_path, monkeypatch):
    run(tmp_path / "a", 6)
    run(tmp_path / "b", 2)

    def full(tensors, file):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full)
        with pytest.raises(InputError, match="no space left"):
            run(tmp_path / "b", 6)
    run(tmp_path / "b", 6)
    name = "checkpoints/step_00000006/model.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_bf16_computes_in_bf16_and_keeps_float32_weights(tmp_path):
    task = ToyTask(dropout=0.0)
    run(tmp_path, 4, task=task, precision="bf16")
    assert task.autocast_dtypes == {torch.bfloat16}
    assert {value.dtype for value in task.parameters()} == {torch.float32}
    assert all(line.get("train/l2", 0.0) is not None for line in lines(tmp_path))


@pytest.mark.parametrize(("has_it", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_is_bf16_where_the_hardware_has_it(tmp_path, monkeypatch, has_it, expected):
    monkeypatch.setattr(launcher, "multiplies_bf16", lambda devices: has_it)
    task = ToyTask(dropout=0.0)
    run(tmp_path, 2, task=task, precision="auto")
    assert task.autocast_dtypes == {expected}


def test_another_config_is_refused_by_name(tmp_path):
    run(tmp_path, 2)
    with pytest.raises(CheckpointError, match=r"\(train\.ema_decay: 0\.9 -> 0\.5\)"):
        run(tmp_path, 4, ema_decay=0.5)
    with pytest.raises(CheckpointError, match="resume it or use another folder"):
        run(tmp_path, 4, resume=False)


def test_another_model_is_refused_in_one_line(tmp_path):
    run(tmp_path, 2)
    task = ToyTask()
    task.critic.extra = torch.nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match="does not fit this model") as caught:
        run(tmp_path, 4, task=task)
    assert "\n" not in str(caught.value)


def test_file_in_place_of_the_run_folder(tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        run(tmp_path / "run", 1)


def test_wall_budget_counts_all_resumes(tmp_path):
    result = run(tmp_path, 1000, data=ToyData(sleep_s=0.02), max_seconds=0.1)
    assert result.reason == "max_seconds"
    assert 0 < result.step < 1000
    assert checkpoint.newest_checkpoint(tmp_path).state.step == result.step
    again = run(tmp_path, 1000, max_seconds=0.1)
    assert (again.step, again.reason) == (result.step, "max_seconds")


def test_finished_run_does_nothing_more(tmp_path):
    run(tmp_path, 4)
    before = (tmp_path / "metrics.jsonl").read_text()
    data = ToyData()
    assert run(tmp_path, 4, data=data).reason == "max_steps"
    assert data.loaded == []
    assert (tmp_path / "metrics.jsonl").read_text() == before


def test_plain_log_lines_without_a_terminal(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="latentspeech.core.train"):
        run(tmp_path, 4, log_every=2)
    shown = [r.getMessage() for r in caplog.records if "train/l2" in r.getMessage()]
    assert [text.split(":")[0] for text in shown] == ["step 2 of 4", "step 4 of 4"]
