"""The operations on arrays that sessions and policies need, by torch or by numpy.

A session does not know which library a runtime computes with. It handles the runtime's arrays by
indexing and reshaping, which both write alike, and by these few operations. Decisions about rows
are made on the host with numpy in either case.

n rows, V vocabulary, K token ids.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.random_numbers import Twister
from latentspeech.core.seeds import derive_seed

# An array of the runtime: a torch tensor on the model's device, or a numpy array.
AnyArray = Any
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float32]


class TokenChoice(NamedTuple):
    """How tokens are drawn from logits (n, V), and which logits are wanted on the host."""

    read_ids: AnyArray  # (K,) tokens whose logits are returned
    banned_ids: AnyArray  # tokens that must not be drawn
    allowed: AnyArray | None  # (n, V) True at tokens that may be drawn; None: all others
    temperature: float
    top_p: float


class ArrayOps(Protocol):
    """One library of arrays, and the precision and device of one model."""

    def inference(self) -> AbstractContextManager[Any]:
        """A context without gradients."""

    def zeros(self, *shape: int) -> AnyArray:
        """Zeros in the model's precision."""

    def from_host(self, values: NDArray[Any]) -> AnyArray:
        """A numpy array as one of the runtime's; its type is kept."""

    def to_host(self, x: AnyArray) -> NDArray[Any]:
        """An array of the runtime as one of numpy."""

    def concat(self, parts: Sequence[AnyArray], axis: int = 0) -> AnyArray:
        """The parts one after the other."""

    def repeat(self, x: AnyArray, count: int) -> AnyArray:
        """Each row `count` times: (n, ...) -> (n count, ...)."""

    def where(self, flags: Flags, one: AnyArray, other: AnyArray) -> AnyArray:
        """`one` where the flags are True, `other` elsewhere; the shapes broadcast."""

    def take(self, x: AnyArray, places: Integers) -> AnyArray:
        """The rows of x (n, ...) at `places` (m,), (m, ...)."""

    def put(self, x: AnyArray, places: Integers, values: AnyArray) -> None:
        """Writes values (m, ...) to the rows of x at `places`, in place."""

    def guide(self, conditional: AnyArray, unconditional: AnyArray, scale: float) -> AnyArray:
        """Classifier-free guidance: uncond + scale (cond - uncond)."""

    def probability(self, logits: AnyArray, token_id: int) -> NDArray[np.float64]:
        """The softmax probability of one token in each row of logits (n, V), on the host (n,)."""

    def choose(
        self, logits: AnyArray, choice: TokenChoice, uniforms: AnyArray | None
    ) -> tuple[NDArray[np.float64], Integers]:
        """Logits of `read_ids` (n, K) and a token drawn for each row (n,), both on the host."""

    def generator(self, seed: int, stream: str) -> Any:
        """A random stream for `normal` and `uniform`; a seed means the same for every library."""

    def normal(self, shape: tuple[int, ...], generator: Any) -> Floats:
        """Standard normal numbers on the host."""

    def uniform(self, shape: tuple[int, ...], generator: Any) -> Floats:
        """Numbers in [0, 1) on the host."""


class NumpyOps:
    """numpy in float32."""

    def inference(self) -> AbstractContextManager[Any]:
        """Does nothing."""
        return nullcontext()

    def zeros(self, *shape: int) -> AnyArray:
        """Zeros in float32."""
        return np.zeros(shape, dtype=np.float32)

    def from_host(self, values: NDArray[Any]) -> AnyArray:
        """The array itself."""
        return values

    def to_host(self, x: AnyArray) -> NDArray[Any]:
        """The array itself."""
        array: NDArray[Any] = x
        return array

    def concat(self, parts: Sequence[AnyArray], axis: int = 0) -> AnyArray:
        """The parts one after the other."""
        return np.concatenate(parts, axis)

    def repeat(self, x: AnyArray, count: int) -> AnyArray:
        """Each row `count` times."""
        return np.repeat(x, count, axis=0)

    def where(self, flags: Flags, one: AnyArray, other: AnyArray) -> AnyArray:
        """`one` where the flags are True, `other` elsewhere."""
        return np.where(flags, one, other)

    def take(self, x: AnyArray, places: Integers) -> AnyArray:
        """The rows of x at `places`."""
        return x[places]

    def put(self, x: AnyArray, places: Integers, values: AnyArray) -> None:
        """Writes rows of x."""
        x[places] = values

    def guide(self, conditional: AnyArray, unconditional: AnyArray, scale: float) -> AnyArray:
        """Classifier-free guidance."""
        return unconditional + np.float32(scale) * (conditional - unconditional)

    def probability(self, logits: AnyArray, token_id: int) -> NDArray[np.float64]:
        """The softmax probability of one token, in float64."""
        powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
        found: NDArray[np.float64] = powers[:, token_id] / powers.sum(axis=1)
        return found

    def choose(
        self, logits: AnyArray, choice: TokenChoice, uniforms: AnyArray | None
    ) -> tuple[NDArray[np.float64], Integers]:
        """Logits of `read_ids`, and a token drawn for each row."""
        read = logits[:, choice.read_ids].astype(np.float64)
        logits = logits.copy()
        logits[:, choice.banned_ids] = -np.inf
        if choice.allowed is not None:
            logits[~choice.allowed[: len(logits)]] = -np.inf
        return read, draw_tokens(logits, choice.temperature, choice.top_p, uniforms)

    def generator(self, seed: int, stream: str) -> Twister:
        """A stream in numpy."""
        return Twister(derive_seed(seed, stream))

    def normal(self, shape: tuple[int, ...], generator: Twister) -> Floats:
        """Standard normal numbers."""
        return generator.normal(*shape)

    def uniform(self, shape: tuple[int, ...], generator: Twister) -> Floats:
        """Numbers in [0, 1)."""
        return generator.uniform(*shape)


def draw_tokens(
    logits: Floats, temperature: float, top_p: float, uniforms: Floats | None
) -> Integers:
    """One token id for every row of logits (n, V), as token_sampling.py does in torch."""
    if temperature == 0:
        return logits.argmax(axis=1)
    assert uniforms is not None, "tokens that are not greedy need uniform numbers"
    scaled = logits / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    ids = np.argsort(-probabilities, axis=1, kind="stable")
    ordered = np.take_along_axis(probabilities, ids, axis=1)
    kept = ordered * (ordered.cumsum(axis=1) - ordered < top_p)  # (n, V)
    sums = kept.cumsum(axis=1)
    place = (sums <= uniforms[:, None] * sums[:, -1:]).sum(axis=1)
    place = np.minimum(place, (kept > 0).sum(axis=1) - 1)  # rounding may give one too many
    chosen: Integers = np.take_along_axis(ids, place[:, None], axis=1)[:, 0]
    return chosen
