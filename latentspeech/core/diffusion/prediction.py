"""What the head predicts, and the way back to data and noise.

With x_t = alpha x_0 + sigma eps: epsilon predicts eps; x0 predicts x_0; v_prediction (Salimans and
Ho 2022, arXiv 2202.00512; paper H.3) predicts alpha eps - sigma x_0; flow predicts eps - x_0. All
conversions hold for every schedule.

N latents, D latent dimension; alpha and sigma broadcast against (N, D).
"""

from typing import Literal

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
    match kind:
        case "epsilon":
            # alpha is 5e-5 at the noisy end of the cosine schedule; the floor keeps 1 / alpha
            # finite.
            return (x_t - sigma * prediction) / alpha.clamp(min=1e-4)
        case "x0":
            return prediction
        case "v_prediction":
            return (alpha * x_t - sigma * prediction) / (alpha.square() + sigma.square())
        case "flow":
            return (x_t - sigma * prediction) / (alpha + sigma)


def to_noise(x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The noise left in x_t once its data are known, (N, D); 0 where there is no noise."""
    return (x_t - alpha * x0) / sigma.clamp(min=1e-8)
