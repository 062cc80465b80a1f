"""Tensors of which each process holds a slice along the first axis (torch's DTensor).

Files hold whole tensors: `whole` puts one together, `slice_like` takes this process's part of one.
"""

from collections.abc import Mapping

from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def is_sharded(tensor: Tensor) -> bool:
    """Whether other processes hold parts of it."""
    return isinstance(tensor, DTensor)


def own_part(tensor: Tensor) -> Tensor:
    """What this process holds, sharing its storage."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor in one piece; all processes must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gather_whole(tensors: Mapping[str, Tensor], keep: bool) -> dict[str, Tensor]:
    """All in one piece, on the CPU where they were cut; all processes must ask, `keep` gets them.

    One after the other, so that no GPU ever holds more than one whole tensor.
    """
    kept: dict[str, Tensor] = {}
    for name, value in tensors.items():
        full = whole(value)
        if keep:
            kept[name] = full.cpu() if is_sharded(value) else full
    return kept


def slice_like(full: Tensor, like: Tensor) -> Tensor:
    """This process's part of a tensor that every process has; as it is where `like` is whole."""
    if not isinstance(like, DTensor) or full.shape != like.shape:
        return full
    # None: everyone cuts its own slice, nothing is sent.
    return distribute_tensor(full, like.device_mesh, like.placements, src_data_rank=None)
