"""Makes one channel of several without losing the speech.

Channels are averaged, as they should be for ordinary stereo. But the average of a channel and its
inverse is silent, and a single microphone among six channels becomes soft and noisy. Where the
average keeps less than 0.3 of the power of the loudest channel, that channel is used alone. A
channel whose copy is a tenth as loud in the other one stands just above that limit.

T samples, C channels.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_MIN_KEPT_POWER = 0.3


@dataclass
class ChannelChoice:
    """Sums over the samples seen so far, from which the choice follows."""

    count: int = 0
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))  # (C,)
    products: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    def add(self, block: NDArray[np.float32]) -> None:
        """Counts a block of samples (T, C)."""
        samples = block.astype(np.float64)
        if not self.count:
            self.sums = np.zeros(samples.shape[1])
            self.products = np.zeros((samples.shape[1], samples.shape[1]))
        self.count += len(samples)
        self.sums += samples.sum(axis=0)
        self.products += samples.T @ samples

    def channel(self) -> int | None:
        """The channel to use alone, from 0; None if all are averaged, as are samples like NaN."""
        if len(self.sums) < 2 or not np.isfinite(self.products).all():
            return None
        means = self.sums / self.count
        covariance = self.products / self.count - np.outer(means, means)  # (C, C)
        powers = covariance.diagonal()
        loudest = int(powers.argmax())
        if covariance.mean() < _MIN_KEPT_POWER * powers[loudest]:
            return loudest
        return None


def mix(block: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    """One channel of a block, or the average of all. (T, C) -> (T,)."""
    mixed: NDArray[np.float32] = block.mean(axis=1) if channel is None else block[:, channel]
    return mixed
