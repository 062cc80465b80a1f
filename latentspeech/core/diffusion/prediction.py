"""What the head predicts, and the way back to data and noise.

With x_t = alpha x_0 + sigma eps: epsilon predicts eps; x0 predicts x_0; v_prediction (Salimans and
Ho 2022, arXiv 2202.00512; paper H.3) predicts alpha eps - sigma x_0; flow predicts eps - x_0. All
conversions hold for every schedule.

N latents, D latent dimension; alpha and sigma broadcast against (N, D).
"""

from typing import Literal

import torch
from torch import Tensor

PredictionType = Literal["epsilon", "x0", "v_prediction", "flow"]


def training_target(
    kind: PredictionType, x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor
) -> Tensor:
    """What the head is to predict, (N, D)."""
    match kind:
        case "epsilon":
            return noise
        case "x0":
            return x0
        case "v_prediction":
            return alpha * noise - sigma * x0
        case "flow":
            return noise - x0


def to_x0(
    kind: PredictionType, prediction: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor
) -> Tensor:
    """The data that a prediction at x_t implies, (N, D)."""
    of_state, of_prediction = x0_coefficients(kind, alpha, sigma)
    return of_state * x_t + of_prediction * prediction


def x0_coefficients(kind: PredictionType, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """(a, b) of x_0 = a x_t + b prediction, each of alpha's shape."""
    match kind:
        case "epsilon":
            # alpha is 5e-5 at the noisy end of the cosine schedule; the floor keeps 1 / alpha
            # finite.
            signal = alpha.clamp(min=1e-4)
            return 1 / signal, -sigma / signal
        case "x0":
            return torch.zeros_like(alpha), torch.ones_like(alpha)
        case "v_prediction":
            power = alpha.square() + sigma.square()
            return alpha / power, -sigma / power
        case "flow":
            return 1 / (alpha + sigma), -sigma / (alpha + sigma)
