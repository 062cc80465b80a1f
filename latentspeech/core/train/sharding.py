"""Shards a task over processes, block by block.

It is FSDP2 (Zhao et al. 2023, arXiv 2304.11277): each process keeps a slice of every parameter, and
a block's parameters are whole only while it computes.
"""

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)

from latentspeech.core.train.block_transforms import units_of
from latentspeech.core.train.task import Task


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
