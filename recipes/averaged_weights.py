"""The averaged weights of a run's newest checkpoint, and where they come from."""

from pathlib import Path
from typing import NamedTuple

from torch import nn

from latentspeech.core.errors import CheckpointError
from latentspeech.core.train.checkpoint import (
    Checkpoint,
    TrainState,
    load_part,
    newest_checkpoint,
)


def load_averaged(exp_dir: Path, module: nn.Module) -> TrainState:
    """Loads them into `module` and returns the state of the training."""
    found = _newest(exp_dir)
    try:
        module.load_state_dict(load_part(found.path, "ema"))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{found.path} does not fit the run's config.yaml: {reason}"
        ) from None
    module.eval()
    return found.state


def training_state(exp_dir: Path) -> TrainState:
    """Where the training in `exp_dir` stands."""
    return _newest(exp_dir).state


def _newest(exp_dir: Path) -> Checkpoint:
    found = newest_checkpoint(exp_dir)
    if found is None:
        raise CheckpointError(f"{exp_dir} has no checkpoint; train there first")
    return found


class Provenance(NamedTuple):
    """One line of a model card about how the weights came to be."""

    run: str
    state: TrainState

    def line(self) -> str:
        """Steps, time, data order and commit."""
        state = self.state
        return (
            f"{self.run}: {state.step} steps in {state.seconds / 3600:.2f} h on {state.world_size} "
            f"process(es), commit {state.git_commit or 'unknown'}, config {state.config_hash[:16]}"
        )
