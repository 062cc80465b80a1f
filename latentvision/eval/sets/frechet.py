"""The Frechet distance between two sets of images in the features of a fixed network.

    ||m_1 - m_2||^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))

m are the means and C the covariances of the features (Heusel et al. 2017, arXiv 1706.08500). Over
Inception's features it is the FID; between pictures and their copies, the rFID. The value is
computed by torch-fidelity. Its interval needs ten more distances from the same reference; for
those the trace of the root comes from the eigenvalues of the symmetric C_1^(1/2) C_2 C_1^(1/2),
which are the same and much cheaper.

N images, F features.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from latentspeech.core.errors import InputError
from latentvision.eval.sets.measure import (
    FeatureSet,
    Measured,
    jackknife_interval,
    random_groups,
)

_CHUNK = 4096  # images whose features are in float64 at once


class Moments(NamedTuple):
    """Mean and covariance of features, in float64."""

    mean: Tensor  # (F,)
    covariance: Tensor  # (F, F)


class _Sums(NamedTuple):
    """Sums over images of features x and of their products, after subtraction of a centre."""

    num_images: int
    total: Tensor  # (F,)
    products: Tensor  # (F, F)

    def minus(self, other: "_Sums") -> "_Sums":
        return _Sums(
            self.num_images - other.num_images,
            self.total - other.total,
            self.products - other.products,
        )

    def moments(self, centre: Tensor) -> Moments:
        mean = self.total / self.num_images
        products = self.products - self.num_images * torch.outer(mean, mean)
        return Moments(mean + centre, products / (self.num_images - 1))


def frechet_distance(samples: FeatureSet, reference: FeatureSet, seed: int = 0) -> Measured:
    """The distance of the samples from the reference, with its jackknife interval.

    Args:
        samples: the set under test.
        reference: the set that it is compared with.
        seed: decides the groups of the interval.

    Raises:
        InputError: a set has no more images than features, so that its covariance is singular.
    """
    _check_size(reference)
    return distance_from(samples, moments(reference.features), seed)


def distance_from(samples: FeatureSet, real: Moments, seed: int = 0) -> Measured:
    """`frechet_distance` from a reference of which only the moments are known."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    _check_size(samples)
    centre = real.mean
    whole = _sums(samples.features, centre)
    statistics = [
        {"mu": found.mean.numpy(), "sigma": found.covariance.numpy()}
        for found in (whole.moments(centre), real)
    ]
    value = float(fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID])
    return Measured(value, _interval(value, samples.features, whole, real, seed))


def _check_size(images: FeatureSet) -> None:
    size = images.features.shape[1]
    if len(images) <= size:
        raise InputError(
            f"{images.name} has {len(images)} images; expected more than {size}, the number of "
            "features: give more images, or measure KID"
        )


def moments(features: Tensor) -> Moments:
    """Mean and covariance of features (N, F)."""
    centre = features.double().mean(dim=0)
    return _sums(features, centre).moments(centre)


def distance(made: Moments, real: Moments, root: Tensor) -> float:
    """The Frechet distance; `root` is the symmetric root (F, F) of the covariance of `real`."""
    eigenvalues = torch.linalg.eigvalsh(root @ made.covariance @ root)
    trace = made.covariance.trace() + real.covariance.trace()
    shift = (made.mean - real.mean).square().sum()
    return float(shift + trace - 2 * eigenvalues.clamp(min=0).sqrt().sum())


def symmetric_root(covariance: Tensor) -> Tensor:
    """The symmetric square root (F, F) of a covariance."""
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    return (vectors * eigenvalues.clamp(min=0).sqrt()) @ vectors.T


def _interval(
    value: float, features: Tensor, whole: _Sums, real: Moments, seed: int
) -> tuple[float, float] | None:
    groups = random_groups(len(features), seed)
    if len(features) - len(groups[0]) <= features.shape[1]:
        return None  # without a group the covariance would be singular
    root = symmetric_root(real.covariance)
    without = []
    for group in groups:
        left = whole.minus(_sums(features[group], real.mean)).moments(real.mean)
        without.append(distance(left, real, root))
    low, high = jackknife_interval(value, without)
    return max(0.0, low), high  # a distance is not negative


def _sums(features: Tensor, centre: Tensor) -> _Sums:
    total = torch.zeros_like(centre)
    products = torch.zeros(len(centre), len(centre), dtype=torch.float64)
    for chunk in torch.split(features, _CHUNK):
        centred = chunk.double() - centre
        total += centred.sum(dim=0)
        products += centred.T @ centred
    return _Sums(len(features), total, products)
