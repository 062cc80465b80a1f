"""The averaged weights of a run's newest checkpoint, and where they come from."""

from pathlib import Path
from typing import Literal, NamedTuple

from torch import nn

from latentspeech.core.errors import CheckpointError
from latentspeech.core.train.state.checkpoint import (
    Checkpoint,
    RunState,
    load_part,
    newest_checkpoint,
)

Weights = Literal["ema", "model"]


def load_averaged(
    exp_dir: Path, module: nn.Module, name: str = "model", weights: Weights = "ema"
) -> RunState:
    """Loads them into `module`, which the run's task calls `name`; returns the training's state.

    A frozen weight has no average; it is taken as it is. With `weights` "model" all weights are.
    """
    found = _newest(exp_dir)
    start = f"{name}."
    stored = load_part(found.path, "model").items()
    tensors = {key.removeprefix(start): value for key, value in stored if key.startswith(start)}
    if weights == "ema":
        tensors |= load_part(found.path, "ema")
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{found.path} does not fit the run's config.yaml: {reason}"
        ) from None
    module.eval()
    return found.state


def training_state(exp_dir: Path) -> RunState:
    """The state of the training at the newest checkpoint in `exp_dir`."""
    return _newest(exp_dir).state


def _newest(exp_dir: Path) -> Checkpoint:
    found = newest_checkpoint(exp_dir)
    if found is None:
        raise CheckpointError(f"{exp_dir} has no checkpoint; train there first")
    return found


class Provenance(NamedTuple):
    """One line of a model card about the training of the weights."""

    run: str
    state: RunState

    def line(self) -> str:
        """Steps, time, data order and commit."""
        state = self.state
        return (
            f"{self.run}: {state.step} steps in {state.seconds / 3600:.2f} h on {state.world_size} "
            f"process(es), commit {state.git_commit or 'unknown'}, config {state.config_hash[:16]}"
        )
