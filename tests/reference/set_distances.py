"""Distances of two sets of feature vectors by their definitions, in plain numpy loops."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm

Array = NDArray[np.float64]


def frechet(made: Array, real: Array) -> float:
    """Heusel et al. 2017, with the matrix root of the product."""
    means = [features.mean(axis=0) for features in (made, real)]
    covariances = [np.cov(features, rowvar=False) for features in (made, real)]
    root = np.real(sqrtm(covariances[0] @ covariances[1]))
    shift = ((means[0] - means[1]) ** 2).sum()
    return float(shift + np.trace(covariances[0] + covariances[1] - 2 * root))


def kernel(made: Array, real: Array) -> float:
    """Binkowski et al. 2018: the unbiased squared discrepancy of two whole sets of one size."""

    def k(x: Array, y: Array) -> float:
        return float((x @ y / len(x) + 1) ** 3)

    n = len(made)
    assert len(real) == n
    within = sum(
        k(one[i], one[j]) for one in (made, real) for i in range(n) for j in range(n) if i != j
    )
    across = sum(k(x, y) for x in made for y in real)
    return within / (n * (n - 1)) - 2 * across / n**2


def inception_score(logits: Array, parts: list[Array]) -> float:
    """Salimans et al. 2016: the mean over parts (indices) of exp of the mean divergence."""
    scores = []
    for part in parts:
        odds = np.exp(logits[part])
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        marginal = probabilities.mean(axis=0)
        divergences = [(p * (np.log(p) - np.log(marginal))).sum() for p in probabilities]
        scores.append(np.exp(np.mean(divergences)))
    return float(np.mean(scores))


def share_within(points: Array, others: Array, k: int) -> float:
    """Kynkaanniemi et al. 2019: the share of points inside a ball of `others`."""
    inside = 0
    radii = []
    for i, centre in enumerate(others):
        distances = [np.linalg.norm(centre - o) for j, o in enumerate(others) if j != i]
        radii.append(sorted(distances)[k - 1])
    for point in points:
        inside += any(np.linalg.norm(point - o) <= r for o, r in zip(others, radii, strict=True))
    return inside / len(points)
