"""The only file that uses Lightning Fabric: devices, precision, process group, gradient exchange.

torchrun starts several processes; without it there is one process and one device. Fabric and
sharding take seconds to import, so only a process that trains does it.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from latentspeech.core.errors import ConfigError
from latentspeech.core.train.processes.stop import die_with_parent
from latentspeech.core.train.task import Task

if TYPE_CHECKING:
    from lightning_fabric.strategies import DDPStrategy, ModelParallelStrategy

Precision = Literal["32", "bf16", "auto"]
Strategy = Literal["ddp", "fsdp"]


def multiplies_bf16(devices: int) -> bool:
    """Whether the hardware of a run has bfloat16 products; a CPU without them is many times slower.

    Args:
        devices: GPUs a node; 0: the CPU.
    """
    if devices:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


class Launcher:
    """This process's rank and device, and its exchange with the run's other processes."""

    def __init__(
        self, devices: int, num_nodes: int, precision: Precision, strategy: Strategy = "ddp"
    ) -> None:
        """Args: `devices` GPUs a node; 0: the CPU, where torchrun sets the number of processes."""
        from lightning_fabric import Fabric

        local = _check_processes(devices, num_nodes)
        self.world_size = int(os.environ.get("WORLD_SIZE", "1")) if _under_torchrun() else 1
        if _under_torchrun():
            # Otherwise it outlives a killed torchrun, and a second start would write beside it.
            die_with_parent()
        self._bf16 = precision == "bf16" or (precision == "auto" and multiplies_bf16(devices))
        if devices and self._bf16:
            # Operations that autocast leaves in float32 may use TF32, more exact than bf16.
            torch.set_float32_matmul_precision("high")
        backend = "nccl" if devices else "gloo"
        self._fabric = Fabric(
            accelerator="cuda" if devices else "cpu",
            devices=local,
            num_nodes=num_nodes,
            strategy=self._several(strategy, backend) if self.world_size > 1 else "auto",
            precision="bf16-mixed" if self._bf16 else "32-true",
        )
        self._fabric.launch()
        self.rank: int = self._fabric.global_rank
        self.is_main = self.rank == 0
        self.device: torch.device = self._fabric.device

    def _several(self, strategy: Strategy, backend: str) -> "DDPStrategy | ModelParallelStrategy":
        """The strategy by which several processes share the work; one alone needs none."""
        from lightning_fabric.strategies import DDPStrategy, ModelParallelStrategy

        if strategy == "ddp":
            # A turn trains only a part of the task, so its backward pass leaves parameters unused.
            return DDPStrategy(
                find_unused_parameters=True,
                gradient_as_bucket_view=True,
                process_group_backend=backend,
            )
        return ModelParallelStrategy(
            self._shard,
            data_parallel_size=self.world_size,
            tensor_parallel_size=1,
            process_group_backend=backend,
        )

    def _shard(self, task: Task, mesh: DeviceMesh) -> Task:
        from latentspeech.core.train.sharding import shard

        return shard(task, mesh["data_parallel"], self._bf16)

    def wrap(self, task: Task) -> nn.Module:
        """Moves `task` to the device and wraps it; backward through the wrapper syncs gradients.

        Under fsdp the parameters become slices, in place; build optimizers and averages after it.
        """
        wrapped: nn.Module = self._fabric.setup_module(task)
        return wrapped

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of `loss` to those of the parameters."""
        self._fabric.backward(loss)

    @contextlib.contextmanager
    def gradient_sync(self, wrapped: nn.Module, enabled: bool) -> Iterator[None]:
        """Decides whether backward in this block averages the gradients over processes."""
        if self.world_size == 1 or enabled:
            yield
        else:
            with self._fabric.no_backward_sync(wrapped):
                yield

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """Applies the precision of training to calls that do not go through the wrapper."""
        with self._fabric.autocast():
            yield

    def maximum(self, value: int) -> int:
        """The largest `value` of any process; all processes must call."""
        if self.world_size == 1:
            return value
        tensor = torch.tensor(value, device=self.device)
        torch.distributed.all_reduce(tensor, op=torch.distributed.ReduceOp.MAX)
        return int(tensor.item())

    def sum(self, values: Tensor) -> Tensor:
        """The sum of the `values` (n,) of every process; all processes must call."""
        if self.world_size > 1:
            torch.distributed.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """The `value` of every process, in order of rank; all processes must call."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        torch.distributed.all_gather_object(values, value)
        return values

    def barrier(self) -> None:
        """Waits for all processes."""
        self._fabric.barrier()


def is_main_process() -> bool:
    """Whether this process is the first of its run; it answers after `train` too."""
    distributed = torch.distributed
    return not distributed.is_initialized() or distributed.get_rank() == 0


def _under_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _check_processes(devices: int, num_nodes: int) -> int:
    """Compares settings and started processes; returns this node's number of processes."""
    if devices and torch.cuda.device_count() < devices:
        raise ConfigError(
            f"devices = {devices}, but this machine has {torch.cuda.device_count()} CUDA devices; "
            "set devices: 0 to train on the CPU"
        )
    if not _under_torchrun():
        if max(1, devices) * num_nodes > 1:
            raise ConfigError(
                f"devices = {devices} on {num_nodes} nodes needs as many processes; start the "
                f"command with torchrun --nnodes {num_nodes} --nproc_per_node {max(1, devices)}"
            )
        return 1
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    if devices not in (0, local):
        raise ConfigError(
            f"torchrun started {local} processes on this node, but devices = {devices}; "
            "make the two equal"
        )
    started = int(os.environ["WORLD_SIZE"])
    if started != local * num_nodes:
        raise ConfigError(
            f"torchrun started {started} processes in all and {local} on this node, which does not "
            f"fit num_nodes = {num_nodes}; set num_nodes to torchrun's --nnodes"
        )
    return local
