"""The streaming contract: `step` takes a state and returns one; the module itself keeps none.

    state = m.init_state(batch_size)
    y, state = m.step(x, state)      # any partition of the input gives the offline result
    y = m(x)                         # offline is one step from a fresh state: one code path

A state is a tree of tensors whose first axis is the batch and whose fresh value is zero. So
`reset_rows` restarts single streams of a batch by zeroing their rows, and a state can be copied,
saved and moved without knowing its module. `step` may reuse the storage of the state it is given;
copy a state with `copy_state` to keep it. Sequences are (B, T, C), channels last.

The Transformer's KV cache is an exception: its layer axis comes before the batch, and a length for
each row says which entries are valid. It is copied and moved like other states, but its rows are
handled only by its own methods `reset_rows`, `row` and `load_row`; `reset_rows` below calls the
first of them.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from latentspeech.core.tensors import Tree, map_tensors


class StreamingModule(nn.Module, ABC):
    """A causal map from sequences to sequences that can be run in chunks."""

    @abstractmethod
    def init_state(self, batch_size: int) -> Any:
        """A fresh state for `batch_size` independent streams."""

    @abstractmethod
    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Processes the next chunk. x (B, T, C_in) -> (B, T', C_out) and the new state."""

    def forward(self, x: Tensor) -> Tensor:
        """Processes the whole sequence at once. x (B, T, C_in) -> (B, T', C_out)."""
        return self.step(x, self.init_state(x.shape[0]))[0]

    def zero_state(self, *shape: int) -> Tensor:
        """Zeros of the parameters' dtype and device."""
        like = next(self.parameters())
        return torch.zeros(shape, dtype=like.dtype, device=like.device)


class StreamingSequential(StreamingModule):
    """Streaming modules, one after the other; pointwise modules may stand between them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def init_state(self, batch_size: int) -> tuple[Any, ...]:
        """One state a layer; None for pointwise layers."""
        return tuple(
            layer.init_state(batch_size) if isinstance(layer, StreamingModule) else None
            for layer in self.layers
        )

    def step(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        """x (B, T, C_in) -> (B, T', C_out)."""
        new_state: list[Any] = []
        for layer, layer_state in zip(self.layers, state, strict=True):
            if isinstance(layer, StreamingModule):
                x, layer_state = layer.step(x, layer_state)
            else:
                x = layer(x)
            new_state.append(layer_state)
        return x, tuple(new_state)


@runtime_checkable
class RowState(Protocol):
    """A state that has its own way to restart rows."""

    def reset_rows(self, rows: Tensor) -> None:
        """Empties the rows where `rows` (B,) is True, in place."""


def reset_rows(state: Tree, rows: Tensor) -> Tree:
    """Restarts the streams where `rows` (B,) is True and returns the state; others are kept."""
    if isinstance(state, RowState):
        state.reset_rows(rows)
        return state

    def reset(tensor: Tensor) -> Tensor:
        return tensor.masked_fill(rows.view(-1, *[1] * (tensor.dim() - 1)), 0)

    return map_tensors(reset, state)
