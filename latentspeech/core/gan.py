"""Least-squares GAN losses and feature matching over discriminators, with DAC's reductions.

LSGAN is Mao et al., 2017, arXiv 1611.04076; DAC is Kumar et al., 2023, arXiv 2306.06546. A logit of
1 means real data, 0 means the generator's output. Every term is a mean over the elements of one
tensor; terms are SUMMED over discriminators and, in feature matching, over layers. So the losses
grow with the number of discriminators, and DAC's weights (1 and 2) suit eight of them with five
layers a stack.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


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
