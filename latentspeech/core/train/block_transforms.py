"""Transforms a task block by block: recomputes its activations, compiles it."""

from functools import partial

import torch
from torch.utils.checkpoint import checkpoint

from latentspeech.core.errors import ConfigError
from latentspeech.core.train.task import Task, Unit


def prepare_units(task: Task, activation_checkpointing: bool, compile_units: bool) -> None:
    """Makes each unit forget its activations until backward, run compiled, or both, in place.

    Call it before the task is sharded or wrapped. Names of parameters stay as they are.
    """
    settings = {"activation_checkpointing": activation_checkpointing, "compile": compile_units}
    for name in (name for name, wanted in settings.items() if wanted):
        for module, method in units_of(task, f"{name}: true"):
            call = getattr(module, method)
            if name == "compile":
                setattr(module, method, torch.compile(call))
            else:
                setattr(module, method, partial(checkpoint, call, use_reentrant=False))


def units_of(task: Task, setting: str) -> list[Unit]:
    """The task's units; raises ConfigError, which names the setting, if there are none."""
    units = list(task.units())
    if not units:
        raise ConfigError(
            f"train.{setting} works block by block, and {type(task).__name__} names no blocks; "
            "leave the setting at its default"
        )
    return units
