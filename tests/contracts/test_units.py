"""Blocks recomputed or compiled, in the tasks that train: same numbers, less memory."""

import functools
from pathlib import Path

import pytest
import torch

from latentspeech.core.nn import transformer
from latentspeech.core.nn.sequence_mask import SequenceMask
from latentspeech.core.train.block_transforms import prepare_units
from latentspeech.core.train.task import Task, Unit
from tests.contracts.process_run import make_data, make_task
from tests.unit.core.train.toy_task import run, untimed


def train(kind: str, folder: Path, steps: int = 3, **settings: object) -> list[dict[str, float]]:
    task, data = make_task(kind, {"dropout": 0.0}), make_data(kind, {})
    run(folder, steps, task=task, data=data, validate_data=make_data(kind, {}), **settings)
    return untimed(folder)


@pytest.mark.parametrize("kind", ["tts", "codec"])
def test_recomputation_is_exact(tmp_path: Path, kind: str) -> None:
    plain = train(kind, tmp_path / "plain")
    assert train(kind, tmp_path / "again", activation_checkpointing=True) == plain


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "backend"), [("tts", "aot_eager"), ("codec", "inductor")])
def test_compilation_keeps_the_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, backend: str
) -> None:
    """Both are traced forward and backward; one of them suffices to try the kernels, minutes."""
    plain = train(kind, tmp_path / "plain")
    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    compiled = train(kind, tmp_path / "compiled", compile=True, activation_checkpointing=True)
    for one, other in zip(plain, compiled, strict=True):
        assert other == pytest.approx(one, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("kind", ["tts", "codec"])
def test_recomputation_keeps_fewer_activations(kind: str) -> None:
    """Bytes that autograd holds on to between forward and backward."""

    def kept_bytes(task: Task) -> int:
        kept: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        turn = task.turns(5)[-1]
        batch = make_data(kind, {}).load([0, 1], 0)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = task.training_step(batch, turn, 5, torch.Generator().manual_seed(0))
        loss.total.backward()
        return sum(kept.values())

    plain, thrifty = make_task(kind, {}), make_task(kind, {})
    prepare_units(thrifty, activation_checkpointing=True, compile_units=False)
    assert kept_bytes(thrifty) < 0.8 * kept_bytes(plain)


@pytest.mark.parametrize("kind", ["tts", "codec"])
def test_units_hold_most_of_the_model_and_none_twice(kind: str) -> None:
    task = make_task(kind, {})
    owned = [p for module, _ in task.units() for p in module.parameters()]
    assert len({id(p) for p in owned}) == len(owned)
    total = sum(p.numel() for p in task.parameters())
    assert sum(p.numel() for p in owned) > 0.5 * total
    assert all(isinstance(unit, Unit) and callable(getattr(*unit)) for unit in task.units())


@pytest.mark.slow
def test_a_compiled_block_takes_the_block_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """One graph for all blocks, the mask passed through; the kernels are a GPU's affair."""
    torch.compiler.reset()
    torch.manual_seed(0)
    config = transformer.TransformerConfig(
        model_dim=64, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=16, ffn_dim=64
    )
    model = transformer.Transformer(config).eval()
    ids = torch.tensor([[0] * 100 + [1] * 120 + [2] * 30 + [-1] * 6])
    x = torch.randn(1, 256, 64)
    with torch.no_grad():
        expected = model(x, ids)
        monkeypatch.setattr(SequenceMask, "dense", SequenceMask.block_mask)
        for layer in model.layers:
            layer.forward = torch.compile(layer.forward, backend="eager", fullgraph=True)
        torch.testing.assert_close(model(x, ids), expected, rtol=1e-4, atol=1e-5)
