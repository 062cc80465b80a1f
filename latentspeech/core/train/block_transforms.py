"""Transforms a task block by block: shards it over processes, recomputes activations, compiles.

Sharding is FSDP2 (Zhao et al. 2023, arXiv 2304.11277): each process keeps a slice of every
parameter, and a block's parameters are whole only while it computes.
"""

from functools import partial

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.utils.checkpoint import checkpoint

from latentspeech.core.errors import ConfigError
from latentspeech.core.train.task import Task, Unit


def shard(task: Task, mesh: DeviceMesh, bf16: bool) -> Task:
    """Shards each unit and then the rest of `task`, in place.

    With `bf16` the parameters of units are sent in bf16 and gradients in float32. Parameters of no
    unit (embeddings) are sent in float32, because they make the residual stream, which stays
    float32 under autocast.
    """
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if bf16 else None,
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,
    )
    for module, method in units_of(task, "strategy: fsdp"):
        fully_shard(module, mesh=mesh, mp_policy=policy)
        if method != "forward":
            register_fsdp_forward_method(module, method)
    fully_shard(task, mesh=mesh)
    register_fsdp_forward_method(task, "validation_step")
    return task


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
