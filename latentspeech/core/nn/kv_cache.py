"""The keys and values of all layers, preallocated, with a length for every row.

Each row can be advanced, reset, copied and saved independently, so one cache serves ragged batches,
the two halves of classifier-free guidance and saved voices. New entries are written at a row's
length; entries past it are garbage that no query sees and that the next write replaces. So a row is
empty as soon as its length is zero, and `KVCache.reset_rows` leaves keys and values as they are.
The layer axis comes before the row axis, so that the entries of one layer are contiguous.

L layers, B rows, H key/value heads, S capacity, T new positions, Dh head dimension.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.sequence_mask import SequenceMask


@dataclass
class KVCache:
    """The streaming state of a Transformer."""

    keys: Tensor  # (L, B, H, S, Dh)
    values: Tensor  # (L, B, H, S, Dh)
    lengths: Tensor  # (B,) valid entries a row
    # A summary of `lengths`, kept on the host so that no step waits for a GPU.
    end: int = 0  # the length of the longest row
    uniform: bool = True  # all rows have length `end`, so one mask serves all of them

    @property
    def capacity(self) -> int:
        """The number of positions that fit."""
        return self.keys.shape[3]

    def positions(self, num_new: int) -> Tensor:
        """The positions of the next `num_new` elements of every row, (B, T)."""
        return self.lengths[:, None] + torch.arange(num_new, device=self.lengths.device)

    def mask(self, positions: Tensor, block_ids: Tensor | None = None) -> SequenceMask:
        """The mask of the elements at the next positions (B, T) over the `end` + T keys.

        Raises:
            ConfigError: the cache is too small for them.
        """
        num_new = positions.shape[1]
        num_keys = self.end + num_new
        if num_keys > self.capacity:
            raise ConfigError(
                f"the sequence needs {num_keys} positions but the cache holds "
                f"{self.capacity}; allow a larger maximum length or shorten the text or prompt"
            )
        if block_ids is None and self.uniform and (num_new == 1 or self.end == 0):
            return SequenceMask(num_keys, positions, plain="all" if num_new == 1 else "causal")
        return SequenceMask.after_cache(positions, num_keys, block_ids)

    def write(
        self, layer: int, keys: Tensor, values: Tensor, positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Stores keys and values (B, H, T, Dh) at positions (B, T); returns the whole layer's."""
        num_new = keys.shape[2]
        end = self.end + num_new
        layer_keys, layer_values = self.keys[layer], self.values[layer]
        if self.uniform:
            layer_keys[:, :, self.end : end] = keys
            layer_values[:, :, self.end : end] = values
        else:
            rows = torch.arange(keys.shape[0], device=keys.device)[:, None]
            layer_keys[rows, :, positions] = keys.transpose(1, 2).to(layer_keys.dtype)
            layer_values[rows, :, positions] = values.transpose(1, 2).to(layer_values.dtype)
        return layer_keys[:, :, :end], layer_values[:, :, :end]

    def advance(self, num_new: int, num_valid: Tensor | None) -> None:
        """Counts the written positions; `num_valid` (B,) of the `num_new` are real in each row."""
        if num_valid is None:
            self.lengths = self.lengths + num_new
            self.end += num_new
            return
        self.lengths = self.lengths + num_valid
        self._measure()  # waits for the device, but only after ragged writes

    def reset_rows(self, rows: Tensor) -> None:
        """Empties the rows where `rows` (B,) is True, in place and without touching the entries."""
        self.lengths = self.lengths.masked_fill(rows, 0)
        self._measure()

    def row(self, index: int) -> "KVCache":
        """An independent copy of one row, cut to its length; a saved prompt is such a copy."""
        length = int(self.lengths[index])
        return KVCache(
            keys=self.keys[:, index : index + 1, :, :length].clone(),
            values=self.values[:, index : index + 1, :, :length].clone(),
            lengths=self.lengths[index : index + 1].clone(),
            end=length,
        )

    def load_row(self, index: int, source: "KVCache") -> None:
        """Puts the one row of `source` in place of row `index`."""
        if source.end > self.capacity:
            raise ConfigError(
                f"a prefix of {source.end} positions does not fit a cache of {self.capacity}"
            )
        self.keys[:, index, :, : source.end] = source.keys[:, 0, :, : source.end]
        self.values[:, index, :, : source.end] = source.values[:, 0, :, : source.end]
        self.lengths = self.lengths.clone()
        self.lengths[index] = source.end
        self._measure()

    def _measure(self) -> None:
        shortest, longest = (int(n) for n in torch.aminmax(self.lengths))
        self.end, self.uniform = longest, shortest == longest
