import pytest

from latentspeech.core.tensors import make_generator
from latentspeech.eval.proportions import wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 500, 0.0, 0.007624),
        (1, 10, 0.017876, 0.404150),
        (5, 10, 0.236593, 0.763407),
        (10, 10, 0.722467, 1.0),
    ],
)
def test_known_intervals(successes: int, trials: int, low: float, high: float) -> None:
    found = wilson_interval(successes, trials)
    assert found == pytest.approx((low, high), abs=1e-6)
    assert all(0 <= edge <= 1 for edge in found)


def test_the_true_share_lies_within_in_95_of_100_experiments() -> None:
    import torch

    draws = torch.rand(2000, 500, generator=make_generator(0, "wilson")) < 0.01
    intervals = [wilson_interval(int(count), 500) for count in draws.sum(1)]
    assert 0.93 < sum(low <= 0.01 <= high for low, high in intervals) / 2000 < 0.99


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 5)])
def test_counts_that_cannot_be_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        wilson_interval(successes, trials)
