"""Random numbers of the rows of a session, drawn ahead from each row's own generator.

What a row gets depends on its generator and on what it has taken before, never on other rows.

N slots, m rows, S numbers a draw.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 64  # draws that are made at once

Slots = NDArray[np.int64]


class RowDraws:
    """Blocks of draws, one for every slot.

    Numbers are drawn in float32 on the CPU whatever the model's dtype and device, so a seed means
    the same everywhere.
    """

    def __init__(
        self,
        draw: Callable[..., Tensor],
        num_slots: int,
        size: int,
        device: torch.device,
    ) -> None:
        """`draw` is `torch.randn` or `torch.rand`."""
        self._draw = draw
        self._blocks = torch.zeros(num_slots, BLOCK, size, device=device)
        self._used = np.full(num_slots, BLOCK)

    def restart(self, slot: int) -> None:
        """A new row has the slot: what was drawn for the one before is forgotten."""
        self._used[slot] = BLOCK

    def move(self, source: int, target: int) -> None:
        """The row of slot `source` goes on in slot `target`."""
        self._blocks[target] = self._blocks[source]
        self._used[target] = self._used[source]

    def take(self, slots: Slots, generators: list[torch.Generator]) -> Tensor:
        """The next draw of each of m slots, (m, S); `generators` is one for every slot in use."""
        used = self._used[slots]
        for slot in slots[used == BLOCK]:  # once in BLOCK steps for a row
            shape = self._blocks.shape[1:]
            self._blocks[slot] = self._draw(shape, generator=generators[slot], dtype=torch.float32)
            self._used[slot] = 0
        used = self._used[slots]
        self._used[slots] = used + 1
        return self._blocks[torch.from_numpy(slots), torch.from_numpy(used)]
