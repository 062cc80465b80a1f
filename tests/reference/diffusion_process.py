"""The diffusion process one element at a time, for tensors of any rank."""

import itertools

import torch
from torch import Tensor

from latentspeech.core.diffusion.schedules import NoiseSchedule


def level_at(schedule: NoiseSchedule, t: Tensor, index: tuple[int, ...]) -> tuple[float, float]:
    """(alpha, sigma) of the element `index`; dimensions of size 1 in t are broadcast."""
    own = tuple(min(i, size - 1) for i, size in zip(index, t.shape, strict=False))
    alpha, sigma = schedule.alpha_sigma(t[own].reshape(1))
    return alpha.item(), sigma.item()


def noised(
    schedule: NoiseSchedule, kind: str, x0: Tensor, noise: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """x_t and the target of the prediction type `kind`, both in x0's shape."""
    x_t, target = torch.empty_like(x0), torch.empty_like(x0)
    for index in itertools.product(*(range(size) for size in x0.shape)):
        alpha, sigma = level_at(schedule, t, index)
        data, eps = x0[index].item(), noise[index].item()
        x_t[index] = alpha * data + sigma * eps
        target[index] = {
            "epsilon": eps,
            "x0": data,
            "v_prediction": alpha * eps - sigma * data,
            "flow": eps - data,
        }[kind]
    return x_t, target


def loss(prediction: Tensor, target: Tensor, rank_of_t: int) -> Tensor:
    """The mean squared error over all dimensions after the first `rank_of_t`."""
    found = []
    leading = prediction.shape[:rank_of_t]
    for index in itertools.product(*(range(size) for size in leading)):
        errors = zip(prediction[index].flatten(), target[index].flatten(), strict=True)
        squares = [(one - other) ** 2 for one, other in errors]
        found.append(torch.stack(squares).sum() / len(squares))
    return torch.stack(found).view(leading)
