"""Random numbers of the rows of a session, drawn ahead from each row's own generator.

A row's numbers depend on its generator and on how many it took before, never on other rows.

N slots, m rows, S numbers a draw.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from latentspeech.core.lm.sampling.array_ops import Floats, Integers

BLOCK = 64  # draws made at once


class RowDraws:
    """Blocks of draws, one for every slot.

    Numbers are drawn in float32 on the host whatever the model's dtype, device and runtime, so a
    seed means the same everywhere.
    """

    def __init__(
        self, draw: Callable[[tuple[int, ...], Any], Floats], num_slots: int, size: int
    ) -> None:
        """Args: `draw` is `normal` or `uniform` of the runtime's array operations."""
        self._draw = draw
        self._blocks = np.zeros((num_slots, BLOCK, size), dtype=np.float32)
        self._used = np.full(num_slots, BLOCK)

    def restart(self, slot: int) -> None:
        """Gives the slot to a new row and drops the draws of the previous one."""
        self._used[slot] = BLOCK

    def move(self, source: int, target: int) -> None:
        """Moves the row of slot `source` to slot `target`."""
        self._blocks[target] = self._blocks[source]
        self._used[target] = self._used[source]

    def take(self, slots: Integers, generators: list[Any]) -> Floats:
        """The next draw of each of m slots, (m, S); `generators` is one for every slot in use."""
        used = self._used[slots]
        for place in (used == BLOCK).nonzero()[0]:  # for each row once in BLOCK draws
            slot = slots[place]
            block = self._draw(self._blocks.shape[1:], generators[slot])
            self._blocks[slot], used[place] = block, 0
        self._used[slots] = used + 1
        taken: Floats = self._blocks[slots, used]
        return taken
