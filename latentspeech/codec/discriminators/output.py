"""What every discriminator returns: its verdict and the features on the way to it.

B batch; the other sizes differ between discriminators and layers.
"""

from typing import NamedTuple

from torch import Tensor


class DiscriminatorOutput(NamedTuple):
    """Logits (any shape, one number a patch, 1 is real) and the hidden layers' outputs in order."""

    logits: Tensor
    features: list[Tensor]
