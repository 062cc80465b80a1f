"""All tensors that a training changes, with their saving to and loading from checkpoints.

A checkpoint is the same for every strategy: whole tensors under the task's own names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from latentspeech.core.errors import CheckpointError
from latentspeech.core.train.optim import TurnOptimizer
from latentspeech.core.train.processes.launcher import Launcher
from latentspeech.core.train.state.checkpoint import Part, RunState, load_part, save_checkpoint
from latentspeech.core.train.state.ema import Ema
from latentspeech.core.train.state.sharded_tensor import gather_whole, slice_like
from latentspeech.core.train.task import Task


class TrainedTensors(NamedTuple):
    """The task with its weights, their averages, and the optimizers by turn."""

    task: Task
    ema: Ema
    optimizers: Mapping[str, TurnOptimizer]

    def save(self, launcher: Launcher, exp_dir: Path, state: RunState, keep: int) -> None:
        """Writes a checkpoint from the main process and keeps the last `keep`; all must call."""
        moments = [optimizer.tensors() for optimizer in self.optimizers.values()]
        parts: dict[Part, Mapping[str, Tensor]] = {
            "model": self.task.state_dict(),
            "ema": self.ema.tensors(),
            "optimizer": {name: value for part in moments for name, value in part.items()},
        }
        gathered: dict[Part, Mapping[str, Tensor]] = {
            part: gather_whole(tensors, launcher.is_main) for part, tensors in parts.items()
        }
        if launcher.is_main:
            save_checkpoint(exp_dir / "checkpoints", state, gathered, keep)
        launcher.barrier()

    def load(self, path: Path) -> None:
        """Restores the tensors that `save` wrote; CheckpointError if they do not fit."""
        own = self.task.state_dict()
        saved = load_part(path, "model")
        try:
            self.task.load_state_dict(
                {name: slice_like(value, own.get(name, value)) for name, value in saved.items()}
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(f"{path} does not fit this model: {reason}") from None
        self.ema.load_tensors(load_part(path, "ema"))
        tensors = load_part(path, "optimizer")
        for optimizer in self.optimizers.values():
            optimizer.load_tensors(tensors)
