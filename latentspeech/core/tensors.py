"""Shape checks for public entry points, length masks, seeds, and trees of state tensors.

B batch, T frames.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from latentspeech.core.seeds import derive_seed

Tree = TypeVar("Tree")


def check_shape(name: str, tensor: Tensor, *expected: int | str) -> None:
    """Raises ValueError unless `tensor` has the expected sizes; a string stands for any size."""
    good = tensor.ndim == len(expected) and all(
        isinstance(want, str) or size == want
        for size, want in zip(tensor.shape, expected, strict=True)
    )
    if not good:
        wanted = ", ".join(str(size) for size in expected)
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected ({wanted})")


def length_mask(lengths: Tensor, max_length: int) -> Tensor:
    """True at valid positions. lengths (B,) -> (B, max_length)."""
    return torch.arange(max_length, device=lengths.device)[None, :] < lengths[:, None]


def make_generator(run_seed: int, stream: str, step: int = 0) -> torch.Generator:
    """A CPU generator seeded by `derive_seed`."""
    return torch.Generator().manual_seed(derive_seed(run_seed, stream, step))


def randn(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal float32 noise, drawn on the generator's device and moved to `like`'s.

    Noise is float32 whatever the model's dtype, so a seed gives the same noise in bf16.
    """
    noise = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32)
    return noise.to(like.device)


def map_tensors(function: Callable[[Tensor], Tensor], tree: Tree) -> Tree:
    """Applies `function` to every tensor in a tree of tuples, lists, dicts and dataclasses.

    Other leaves (ints, None) are kept. It serves to copy, move and select rows of streaming states.
    """
    node: Any = tree
    if isinstance(node, Tensor):
        return function(node)  # type: ignore[return-value]
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return type(node)(*(map_tensors(function, item) for item in node))  # type: ignore[return-value]
    if isinstance(node, tuple | list):
        return type(node)(map_tensors(function, item) for item in node)  # type: ignore[return-value]
    if isinstance(node, dict):
        return {key: map_tensors(function, item) for key, item in node.items()}  # type: ignore[return-value]
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        fields = {f.name: getattr(node, f.name) for f in dataclasses.fields(node) if f.init}
        changed = {name: map_tensors(function, value) for name, value in fields.items()}
        return dataclasses.replace(node, **changed)  # type: ignore[return-value]
    return tree


def copy_state(state: Tree) -> Tree:
    """An independent copy of a streaming state."""
    return map_tensors(torch.clone, state)
