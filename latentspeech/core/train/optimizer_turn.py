"""One turn of a training step: gradients over all its batches, check, clip, optimizer step."""

from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor, nn

from latentspeech.core.errors import DataError
from latentspeech.core.files import write_json
from latentspeech.core.tensors import derive_seed, make_generator
from latentspeech.core.train.batches import PlannedBatch
from latentspeech.core.train.optim import TurnOptimizer
from latentspeech.core.train.processes.launcher import Launcher
from latentspeech.core.train.task import StepCall, Task

NON_FINITE_NAME = "nonfinite.json"


class NonFiniteError(DataError):
    """A loss or gradient was NaN or infinite; it did not reach the weights."""


class StepBatches(NamedTuple):
    """What this process trains on in one step."""

    step: int
    planned: list[PlannedBatch]
    loaded: list[Any]


class TurnContext(NamedTuple):
    """What the turns of a run have in common."""

    task: Task
    model: nn.Module
    """The task in the distributed wrapper."""
    launcher: Launcher
    seed: int
    exp_dir: Path


def run_turn(
    context: TurnContext, optimizer: TurnOptimizer, batches: StepBatches
) -> list[dict[str, Tensor | float]]:
    """Updates the turn's parameters; returns the metrics of each batch and of the update.

    A loss or gradient norm that is not finite raises NonFiniteError before the update.
    """
    _, model, launcher, seed, _ = context
    turn, step, count = optimizer.turn, batches.step, len(batches.loaded)
    metrics: list[dict[str, Tensor | float]] = []
    losses: list[Tensor] = []
    optimizer.zero_grad()
    with optimizer.others_frozen():
        for place, batch in enumerate(batches.loaded):
            # Noise belongs to the batch's place in the whole step, so that two processes draw what
            # one draws in two rounds of accumulation.
            whole_place = place * launcher.world_size + launcher.rank
            stream = f"train/{turn}/{whole_place}"
            # Dropout draws from torch's global generators, everything else from the one passed on.
            torch.manual_seed(derive_seed(seed, f"{stream}/dropout", step))
            call = StepCall(batch, turn, step, make_generator(seed, stream, step))
            with launcher.gradient_sync(model, enabled=place == count - 1):
                total, values = model(call)
                launcher.backward(total / count)
            losses.append(total.detach())
            metrics.append(dict(values))
    norm = optimizer.clip()
    finite = torch.isfinite(norm) & torch.isfinite(torch.stack(losses)).all()
    if launcher.maximum(int(not finite)):
        optimizer.zero_grad()
        _stop(context, turn, batches, losses, norm)
    rate = optimizer.step(step)
    optimizer.zero_grad()
    metrics.append({f"optim/{turn}_grad_norm": norm, f"optim/{turn}_lr": rate})
    return metrics


def _stop(
    context: TurnContext, turn: str, batches: StepBatches, losses: list[Tensor], norm: Tensor
) -> NoReturn:
    """Writes down the items that all processes were training on, and raises."""
    launcher = context.launcher
    mine = [
        {"rank": launcher.rank, "loss": str(float(loss)), **planned._asdict()}
        for loss, planned in zip(losses, batches.planned, strict=True)
    ]
    entries = [entry for part in launcher.gather(mine) for entry in part]
    path = context.exp_dir / NON_FINITE_NAME
    if launcher.is_main:
        values = {"step": batches.step, "turn": turn, "grad_norm": str(float(norm))}
        write_json(path, {**values, "batches": entries})
    launcher.barrier()
    items = [str(item) for entry in entries for item in entry["items"]]
    shown = ", ".join(items[:16]) + (", ..." if len(items) > 16 else "")
    found = ", ".join(entry["loss"] for entry in entries[:8])
    raise NonFiniteError(
        f"step {batches.step}, turn {turn!r}: not finite (loss {found}; gradient norm "
        f"{float(norm):g}); expected finite numbers, the weights were left as they were; "
        f"look at batch items {shown} (all in {path}) or lower lr"
    )
