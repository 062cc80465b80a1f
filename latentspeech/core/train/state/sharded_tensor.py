"""Tensors of which each process holds a slice along the first axis (torch's DTensor).

Files hold whole tensors: `whole` puts one together, `slice_like` takes this process's part of one.

Importing torch.distributed.tensor takes a second, so only a process that shards does it.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard

from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def is_sharded(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Whether other processes hold parts of it."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def own_part(tensor: Tensor) -> Tensor:
    """This process's slice of the tensor, which shares its storage."""
    return tensor.to_local() if is_sharded(tensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor in one piece; all processes must call."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


def gather_whole(tensors: Mapping[str, Tensor], keep: bool) -> dict[str, Tensor]:
    """All tensors in one piece if `keep`, else none; those that were sharded are on the CPU.

    All processes must call. Tensors are gathered one by one, so a GPU never holds more than one
    whole tensor.
    """
    kept: dict[str, Tensor] = {}
    for name, value in tensors.items():
        full = whole(value)
        if keep:
            kept[name] = full.cpu() if is_sharded(value) else full
    return kept


def slice_like(full: Tensor, like: Tensor) -> Tensor:
    """This process's part of a tensor that every process has; all of it if `like` is whole."""
    if not is_sharded(like) or full.shape != like.shape:
        return full
    from torch.distributed.tensor import distribute_tensor

    # With rank None each process takes its slice of its own tensor, and nothing is sent.
    return distribute_tensor(full, like.device_mesh, like.placements, src_data_rank=None)
