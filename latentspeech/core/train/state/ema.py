"""Exponential moving average of a module's weights.

The decay grows as (1 + n) / (10 + n) with the number n of updates made, up to its final value, so
that early averages are not dominated by the initial weights.
"""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from latentspeech.core.errors import CheckpointError
from latentspeech.core.train.state.sharded_tensor import own_part, slice_like


def ema_decay(decay: float, num_updates: int) -> float:
    """The decay of the next update after `num_updates` earlier ones."""
    return min(decay, (1 + num_updates) / (10 + num_updates))


class Ema:
    """Averages that follow `module`; buffers that are not floating point are copied."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        """Args: `decay` 0 keeps a plain copy of the weights. First move `module` to its device."""
        self.decay = decay
        # A state dict shares storage with the parameters, so these stay the live weights.
        self._live = {name: value.detach() for name, value in module.state_dict().items()}
        self._average = {name: value.clone() for name, value in self._live.items()}
        self._smooth = [name for name, value in self._live.items() if value.is_floating_point()]
        self._copied = [name for name in self._live if name not in set(self._smooth)]

    @torch.no_grad()
    def update(self, num_updates: int) -> None:
        """Moves the averages towards the weights; `num_updates` were made before."""
        weight = 1 - ema_decay(self.decay, num_updates)
        # In a sharded model each process averages its own slices.
        average = [own_part(self._average[name]) for name in self._smooth]
        live = [own_part(self._live[name]) for name in self._smooth]
        torch._foreach_lerp_(average, live, weight)
        for name in self._copied:
            self._average[name].copy_(self._live[name])

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the module has the averages; afterwards it has its own weights again."""
        own = {name: value.clone() for name, value in self._live.items()}
        self._fill(self._average)
        try:
            yield
        finally:
            self._fill(own)

    def tensors(self) -> dict[str, Tensor]:
        """The averages, by name within the module."""
        return dict(self._average)

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Restores the averages that `tensors` returned."""
        if set(tensors) != set(self._average):
            name = sorted(set(tensors) ^ set(self._average))[0]
            raise CheckpointError(
                f"the averaged weights of the checkpoint are of another model (first: {name}); "
                "resume with the code and configuration that wrote it"
            )
        for name, value in tensors.items():
            self._average[name].copy_(slice_like(value, self._average[name]))

    @torch.no_grad()
    def _fill(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self._live[name].copy_(value)
