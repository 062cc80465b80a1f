"""One turn of a training step: gradients over all its batches, check, clip, optimizer step.

The turn minimises means over the elements of all batches of all processes, even if some batches
have more elements than others. The distributed wrapper averages gradients over processes, so each
part of a batch's loss is multiplied by (processes x its elements / elements of the step).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor, nn

from latentspeech.core.errors import DataError
from latentspeech.core.seeds import derive_seed
from latentspeech.core.storage.files import write_json
from latentspeech.core.tensors import make_generator
from latentspeech.core.train.batches import PlannedBatch
from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.optim import TurnOptimizer
from latentspeech.core.train.processes.launcher import Launcher
from latentspeech.core.train.task import Losses, StepCall, Task

NON_FINITE_NAME = "nonfinite.json"


class NonFiniteError(DataError):
    """A loss or gradient was NaN or infinite; it did not reach the weights."""


class StepBatches(NamedTuple):
    """The batches that this process trains on in one step."""

    step: int
    planned: list[PlannedBatch]
    loaded: list[Any]


class TurnContext(NamedTuple):
    """The arguments that all turns of a run share."""

    task: Task
    model: nn.Module
    """The task in the distributed wrapper."""
    launcher: Launcher
    seed: int
    exp_dir: Path


def run_turn(
    context: TurnContext, optimizer: TurnOptimizer, batches: StepBatches
) -> list[dict[str, float | Tensor | Mean]]:
    """Updates the turn's parameters; returns the metrics of each batch and of the update.

    A loss or gradient norm that is not finite raises NonFiniteError before the update.
    """
    _, model, launcher, seed, _ = context
    turn, step, count = optimizer.turn, batches.step, len(batches.loaded)
    metrics: list[dict[str, float | Tensor | Mean]] = []
    losses: list[Tensor] = []
    optimizer.zero_grad()
    with optimizer.others_frozen():
        shares = _shares(context, turn, batches.loaded)
        for place, batch in enumerate(batches.loaded):
            # The noise depends on the batch's place in the whole step, so that two processes draw
            # the same as one process with an accumulation of two.
            whole_place = place * launcher.world_size + launcher.rank
            stream = f"train/{turn}/{whole_place}"
            # Dropout uses torch's global generators; all else uses the generator in the call.
            torch.manual_seed(derive_seed(seed, f"{stream}/dropout", step))
            call = StepCall(batch, turn, step, make_generator(seed, stream, step))
            with launcher.gradient_sync(model, enabled=place == count - 1):
                found: Losses = model(call)
                total = _scaled(found.parts, shares[place]) / count
                launcher.backward(total)
            losses.append(found.total.detach())
            minimised = {found.logged_as: total.detach() * count} if found.logged_as else {}
            metrics.append({**minimised, **found.metrics})
    norm = optimizer.clip()
    finite = torch.isfinite(norm) & torch.isfinite(torch.stack(losses)).all()
    if launcher.maximum(int(not finite)):
        optimizer.zero_grad()
        _stop(context, turn, batches, losses, norm)
    rate = optimizer.step(step)
    optimizer.zero_grad()
    metrics.append({f"optim/{turn}_grad_norm": norm, f"optim/{turn}_lr": rate})
    return metrics


def _shares(context: TurnContext, turn: str, loaded: list[Any]) -> list[dict[str, Tensor]]:
    """For each batch, the elements of each counted part / their mean over the step's batches."""
    launcher = context.launcher
    num_batches = len(loaded) * launcher.world_size
    if num_batches == 1:
        return [{}]
    counts = [dict(context.task.counts(batch, turn)) for batch in loaded]
    names = list(counts[0])
    if not names:
        return counts
    table = torch.stack([torch.stack([row[name] for name in names]) for row in counts]).double()
    total = launcher.sum(table.sum(dim=0))  # (parts,)
    # A part that no batch has gets share 0 in all of them.
    shares = table * num_batches / total.clamp(min=1)  # (batches, parts)
    return [dict(zip(names, row.unbind(), strict=True)) for row in shares]


def _scaled(parts: Mapping[str, Tensor], shares: Mapping[str, Tensor]) -> Tensor:
    """The sum of the parts, each times its share; a part that is not counted has share 1."""
    unknown = sorted(shares.keys() - parts.keys())
    if unknown:
        raise ValueError(
            f"the task counts {', '.join(unknown)}, and its losses have the parts "
            f"{', '.join(parts)}; count parts by their names"
        )
    scaled = {name: parts[name] * share.to(parts[name]) for name, share in shares.items()}
    return torch.stack(tuple({**parts, **scaled}.values())).sum()


def _stop(
    context: TurnContext, turn: str, batches: StepBatches, losses: list[Tensor], norm: Tensor
) -> NoReturn:
    """Writes the items that all processes were training on to a file, and raises."""
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
