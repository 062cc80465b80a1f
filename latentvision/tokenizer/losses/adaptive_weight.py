"""The adaptive weight of VQGAN's adversarial loss (Esser et al. 2021, arXiv 2012.09841, eq. 7).

    weight = ||dL_rec / dW|| / (||dL_adversarial / dW|| + 1e-4),  at most 1e4

W is the decoder's last matrix, so both losses pull it equally hard. Its gradient is the sum over
positions of (gradient of its output) x (its input). We compute it that way instead of asking for
the gradient of W: the backward pass then ends at the decoder's output, and W may be sharded.

B images, N positions, O outputs, W inputs of the last matrix.
"""

import torch
from torch import Tensor

_TINY = 1e-4
_LARGEST = 1e4


def adaptive_weight(
    reconstruction: Tensor, adversarial: Tensor, output: Tensor, last_input: Tensor
) -> Tensor:
    """The factor of `adversarial`, detached.

    Args:
        reconstruction: () all losses but the adversarial one and the regulariser.
        adversarial: () the generator's adversarial loss.
        output: (B, N, O) the last matrix's output, which both losses depend on.
        last_input: (B, N, W) its input.
    """
    norms = []
    for loss in (reconstruction, adversarial):
        (gradient,) = torch.autograd.grad(loss, output, retain_graph=True)
        product = torch.einsum("bno,bnw->ow", gradient.float(), last_input.detach().float())
        norms.append(product.norm())
    return (norms[0] / (norms[1] + _TINY)).clamp(max=_LARGEST).detach()
