"""GAN losses, least-squares and hinge, and feature matching over discriminators.

LSGAN is Mao et al., 2017, arXiv 1611.04076; the reductions are DAC's (Kumar et al., 2023, arXiv
2306.06546). A logit of 1 means real data, 0 means the generator's output. Every term is a mean over
the elements of one tensor; terms are SUMMED over discriminators and, in feature matching, over
layers. So the losses grow with the number of discriminators, and DAC's weights (1 and 2) suit eight
of them with five layers a stack.

The hinge losses (Lim and Ye, 2017, arXiv 1705.02894) with the halves of VQGAN (Esser et al., 2021,
arXiv 2012.09841) push logits of real data above 1 and those of the generator's output below -1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class DiscriminatorOutput(NamedTuple):
    """Logits (any shape, one number a patch, 1 is real) and the hidden layers' outputs in order."""

    logits: Tensor
    features: list[Tensor]


def discriminator_loss(
    estimate: Sequence[DiscriminatorOutput], reference: Sequence[DiscriminatorOutput]
) -> Tensor:
    """Sum over discriminators of mean(D(estimate)^2) + mean((1 - D(reference))^2) -> scalar.

    The estimate must carry no gradient to the generator, so pass outputs for a detached copy.
    """
    terms = [
        made.logits.float().square().mean() + (1 - real.logits.float()).square().mean()
        for made, real in zip(estimate, reference, strict=True)
    ]
    return torch.stack(terms).sum()


def generator_loss(estimate: Sequence[DiscriminatorOutput]) -> Tensor:
    """Sum over discriminators of mean((1 - D(estimate))^2) -> scalar."""
    return torch.stack([(1 - made.logits.float()).square().mean() for made in estimate]).sum()


def hinge_discriminator_loss(
    estimate: Sequence[DiscriminatorOutput], reference: Sequence[DiscriminatorOutput]
) -> Tensor:
    """Sum over discriminators of (mean relu(1 + D(estimate)) + mean relu(1 - D(reference))) / 2.

    A scalar. The estimate must carry no gradient to the generator.
    """
    terms = [
        functional.relu(1 + made.logits.float()).mean()
        + functional.relu(1 - real.logits.float()).mean()
        for made, real in zip(estimate, reference, strict=True)
    ]
    return 0.5 * torch.stack(terms).sum()


def hinge_generator_loss(estimate: Sequence[DiscriminatorOutput]) -> Tensor:
    """Sum over discriminators of -mean(D(estimate)) -> scalar."""
    return -torch.stack([made.logits.float().mean() for made in estimate]).sum()


def feature_matching_loss(
    estimate: Sequence[DiscriminatorOutput], reference: Sequence[DiscriminatorOutput]
) -> Tensor:
    """Sum over discriminators and hidden layers of mean |difference of features| -> scalar.

    The reference's features are detached; logits take no part.
    """
    terms = [
        (made_feature.float() - real_feature.detach().float()).abs().mean()
        for made, real in zip(estimate, reference, strict=True)
        for made_feature, real_feature in zip(made.features, real.features, strict=True)
    ]
    return torch.stack(terms).sum()
