"""Random numbers of a stream in numpy, the same as those of torch's generator on the CPU.

A seed must mean the same speech whether torch or ONNX Runtime runs the model. torch's generator is
MT19937 (Matsumoto and Nishimura 1998), seeded by the lower 32 bits of a seed. A uniform number
takes the lower 24 bits of an output. Normal numbers come in blocks of 16 by Box and Muller (1958):
the first eight uniforms of a block give radii, the last eight angles. Normal numbers equal torch's
but for the rounding of logarithm, sine and cosine.
"""

import math

import numpy as np
from numpy.typing import NDArray

_BLOCK = 16
_BITS = 24


class Twister:
    """A stream of random numbers."""

    def __init__(self, seed: int) -> None:
        self._stream = np.random.RandomState(seed & 0xFFFFFFFF)

    def uniform(self, *shape: int) -> NDArray[np.float32]:
        """Numbers in [0, 1)."""
        outputs = self._stream.randint(0, 1 << 32, math.prod(shape), dtype=np.uint32)
        integers = outputs & np.uint32((1 << _BITS) - 1)
        return (integers.astype(np.float32) * np.float32(2.0**-_BITS)).reshape(shape)

    def normal(self, *shape: int) -> NDArray[np.float32]:
        """Standard normal numbers; their count is a multiple of 16."""
        count = math.prod(shape)
        if count % _BLOCK:
            raise ValueError(f"{count} normal numbers were asked for; ask for a multiple of 16")
        blocks = self.uniform(count // _BLOCK, 2, _BLOCK // 2)
        radius = np.sqrt(-2 * np.log(1 - blocks[:, 0]))  # (blocks, 8)
        angle = np.float32(2 * math.pi) * blocks[:, 1]
        return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1).reshape(shape)
