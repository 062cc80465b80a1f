"""A model's weights as numpy arrays by name, read part by part, as its modules have them."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.errors import CheckpointError


class Weights:
    """The weights whose names begin with a prefix.

    They are kept as they are stored and become float32 when they are taken, so that a model in
    memory costs no more than its file.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], origin: str) -> None:
        """Args: `origin` names the file in errors."""
        self._arrays, self._origin, self._prefix = arrays, origin, ""
        self._taken: set[str] = set()  # shared with all parts

    def part(self, name: str) -> "Weights":
        """The weights of a submodule."""
        part = copy.copy(self)
        part._prefix = f"{self._prefix}{name}."
        return part

    def take(self, name: str, *shape: int) -> NDArray[np.float32]:
        """One array in float32; CheckpointError unless it is there and has this shape."""
        full = self._prefix + name
        found = self._arrays.get(full)
        if found is None or found.shape != shape:
            what = "missing" if found is None else f"of shape {found.shape}"
            raise CheckpointError(
                f"{self._origin} does not fit its config.yaml: {full} is {what}; expected shape "
                f"{shape}: copy the model directory again"
            )
        self._taken.add(full)
        return found.astype(np.float32, copy=False)

    def check_all_taken(self) -> None:
        """Raises CheckpointError for an array that nothing has taken."""
        names = (name for name in self._arrays if name.startswith(self._prefix))
        unknown = sorted(set(names) - self._taken)
        if unknown:
            raise CheckpointError(
                f"{self._origin} does not fit its config.yaml: {', '.join(unknown[:5])} are not "
                "expected: copy the model directory again"
            )
