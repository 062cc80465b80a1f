"""Measures of sets against their definitions to 1e-4, and what their intervals cover."""

import math

import numpy as np
import pytest
import torch

from latentspeech.core.errors import InputError
from latentvision.eval.sets.frechet import (
    distance,
    frechet_distance,
    moments,
    symmetric_root,
)
from latentvision.eval.sets.inception_score import inception_score
from latentvision.eval.sets.kernel import kernel_distance
from latentvision.eval.sets.manifold import precision, recall
from latentvision.eval.sets.measure import FeatureSet, groups_interval, jackknife_interval
from tests.reference import set_distances

pytest.importorskip("torch_fidelity")


def features(count: int, size: int = 6, seed: int = 0, scale: float = 1.0, shift: float = 0.0):
    """Correlated, skewed features."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(size, size))
    drawn = np.abs(rng.normal(size=(count, size))) @ mixing
    return torch.tensor(scale * drawn + shift, dtype=torch.float32)


def made_and_real(made: int = 80, real: int = 60) -> tuple[FeatureSet, FeatureSet]:
    return (
        FeatureSet("samples", features(made, seed=1, scale=0.8, shift=0.3)),
        FeatureSet("reference", features(real, seed=2)),
    )


def test_frechet_distance() -> None:
    made, real = made_and_real()
    expected = set_distances.frechet(made.features.double().numpy(), real.features.double().numpy())
    found = frechet_distance(made, real)
    assert found.value == pytest.approx(expected, rel=1e-4)
    root = symmetric_root(moments(real.features).covariance)
    fast = distance(moments(made.features), moments(real.features), root)
    assert fast == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(real, real).value == pytest.approx(0, abs=1e-6)


def test_far_from_zero_means_nothing_is_lost() -> None:
    made, real = made_and_real()
    far = [FeatureSet(one.name, (one.features.double() + 1000).float()) for one in (made, real)]
    # The features themselves are rounded to 6e-5 there; in sums of squares of 1000 all would go.
    assert frechet_distance(*far).value == pytest.approx(
        frechet_distance(made, real).value, rel=1e-3
    )


def test_kernel_distance() -> None:
    made, real = made_and_real(60, 60)  # one subset is the whole set
    found = kernel_distance(made, real)
    expected = set_distances.kernel(made.features.double().numpy(), real.features.double().numpy())
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert found.beside["deviation over subsets"] == pytest.approx(0, abs=1e-4)
    assert found.facts["subsets"] == "100 of 60 images"
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]


def test_inception_score() -> None:
    logits = 2 * features(40, size=5, seed=3)
    order = np.random.RandomState(0).permutation(40)
    parts = [order[i * 4 : (i + 1) * 4] for i in range(10)]
    expected = set_distances.inception_score(logits.double().numpy(), parts)
    found = inception_score(logits, "samples")
    assert found.value == pytest.approx(expected, rel=1e-4)
    certain = 50 * torch.eye(5).repeat(20, 1)  # five classes, each image surely one of them
    assert 4 < inception_score(certain, "samples").value <= 5
    assert inception_score(torch.zeros(30, 5), "samples").value == pytest.approx(1)


def test_precision_and_recall() -> None:
    made, real = made_and_real()
    x, y = (one.features.double().numpy() for one in (made, real))
    assert precision(made, real).value == pytest.approx(set_distances.share_within(x, y, 3))
    assert recall(made, real).value == pytest.approx(set_distances.share_within(y, x, 3))
    few_kinds = FeatureSet("one kind", real.features[:1] + 0.01 * features(50, seed=4))
    assert precision(few_kinds, real).value == 1
    assert recall(few_kinds, real).value < 0.2


def test_too_few_images_are_refused() -> None:
    made, real = made_and_real()
    few, fewer = (FeatureSet("few", made.features[:n]) for n in (6, 3))
    with pytest.raises(InputError, match="few has 6 images; expected more than 6, the number of f"):
        frechet_distance(few, real)
    with pytest.raises(InputError, match="few has 6 images; expected more than 6"):
        frechet_distance(made, few)
    with pytest.raises(InputError, match="expected at least 20"):
        kernel_distance(few, real)
    with pytest.raises(InputError, match="expected at least 10"):
        inception_score(torch.zeros(9, 4), "few")
    with pytest.raises(InputError, match="expected more than 3, the number of neighbours"):
        precision(fewer, real)


def test_no_interval_where_a_group_less_would_be_singular() -> None:
    real = FeatureSet("reference", features(60))
    assert frechet_distance(FeatureSet("few", features(7, seed=1)), real).interval is None
    assert frechet_distance(FeatureSet("more", features(9, seed=1)), real).interval is not None


def test_the_interval_of_a_distance_does_not_go_below_zero() -> None:
    real = FeatureSet("reference", features(400, seed=50))
    found = frechet_distance(FeatureSet("alike", features(60, seed=1)), real)
    assert found.interval is not None
    assert found.interval[0] >= 0


def test_the_interval_of_the_frechet_distance_covers_other_samples() -> None:
    """The half width is about t(9) deviations of the distances of fresh samples."""
    real = FeatureSet("reference", features(400, seed=50))
    found = [
        frechet_distance(FeatureSet("s", features(150, seed=seed, shift=0.2)), real, seed)
        for seed in range(40)
    ]
    deviation = float(np.std([one.value for one in found], ddof=1))
    halves = [(one.interval[1] - one.interval[0]) / 2 for one in found if one.interval]
    assert len(halves) == 40
    assert np.mean(halves) / (2.262 * deviation) == pytest.approx(1, abs=0.3)
    expectation = np.mean([one.value for one in found])
    covered = sum(one.interval[0] <= expectation <= one.interval[1] for one in found)
    assert covered >= 34  # 38 of 40 on average


def test_the_interval_of_the_kernel_distance_covers_the_truth() -> None:
    """Samples of the reference's own distribution are at distance zero."""
    real = FeatureSet("reference", features(200, seed=50))
    found = [
        kernel_distance(FeatureSet("s", features(60, seed=seed)), real, seed) for seed in range(10)
    ]
    # One reference set is nearer to some samples than to others, so its own scatter is allowed.
    mean = np.mean([one.value for one in found])
    covered = sum(one.interval[0] <= mean <= one.interval[1] for one in found)
    assert covered >= 8


def test_intervals_by_hand() -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    half = 3.182446 * math.sqrt(3 / 4 * 5)
    assert jackknife_interval(10.0, values) == pytest.approx((10 - half, 10 + half), rel=1e-5)
    half = 3.182446 * math.sqrt(5 / 12)
    found = groups_interval(2.5, float(np.std(values)), 4)
    assert found == pytest.approx((2.5 - half, 2.5 + half), rel=1e-5)
