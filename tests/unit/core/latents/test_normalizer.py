import numpy as np
import pytest
import torch
from torch import Tensor, nn

from latentspeech.core.errors import DataError
from latentspeech.core.latents.normalizer import LatentNormalizer, RunningMoments
from latentspeech.core.tensors import make_generator


def some_latents() -> Tensor:
    generator = make_generator(0, "latents")
    scale = torch.tensor([0.1, 1.0, 5.0, 1e-3])
    return torch.randn(1000, 4, generator=generator) * scale + torch.tensor([100.0, 0.0, -3.0, 1.0])


def moments_of(*parts: Tensor) -> RunningMoments:
    moments = RunningMoments.empty(4)
    for part in parts:
        moments.update(part)
    return moments


def test_a_new_normalizer_changes_nothing() -> None:
    latents = torch.randn(2, 3, 4)
    assert torch.equal(LatentNormalizer(4).normalize(latents), latents)


def test_moments_equal_numpys_under_any_partition() -> None:
    latents = some_latents()
    exact = latents.double().numpy()
    for sizes in ([1000], [1, 999], [0, 500, 250, 250], [1] * 1000):
        moments = moments_of(*latents.split(sizes))
        assert moments.count == 1000
        np.testing.assert_allclose(moments.mean, exact.mean(axis=0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(moments.std, exact.std(axis=0), rtol=1e-9)


def test_merging_two_halves_equals_seeing_all() -> None:
    latents = some_latents()
    left, right = moments_of(latents[:300]), moments_of(latents[300:])
    left.merge(right)
    left.merge(RunningMoments.empty(4))
    np.testing.assert_allclose(left.std, latents.double().std(dim=0, correction=0), rtol=1e-9)
    assert (left.count, right.count) == (1000, 700)


def test_the_normalizer_makes_mean_zero_and_std_one_and_goes_back() -> None:
    latents = some_latents()
    normalizer = moments_of(latents).to_normalizer()
    normalized = normalizer.normalize(latents)
    torch.testing.assert_close(normalized.mean(dim=0), torch.zeros(4), atol=2e-3, rtol=0)
    torch.testing.assert_close(
        normalized.std(dim=0, correction=0), torch.ones(4), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(normalizer.denormalize(normalized), latents)
    assert normalizer.normalize(latents.reshape(10, 100, 4)).shape == (10, 100, 4)


def test_statistics_are_saved_and_loaded() -> None:
    normalizer = moments_of(some_latents()).to_normalizer()
    fresh = LatentNormalizer(4)
    fresh.load_state_dict(normalizer.state_dict())
    assert torch.equal(fresh.mean, normalizer.mean)
    assert torch.equal(fresh.std, normalizer.std)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_statistics_stay_float32_in_a_narrow_model(dtype: torch.dtype) -> None:
    normalizer = moments_of(some_latents()).to_normalizer()
    mean = normalizer.mean.clone()
    model = nn.ModuleDict({"normalizer": normalizer, "linear": nn.Linear(4, 4)}).to(dtype)
    assert model["linear"].weight.dtype == dtype
    assert torch.equal(normalizer.mean, mean)
    assert normalizer.normalize(torch.zeros(2, 4, dtype=dtype)).dtype == torch.float32
    assert model.double()["normalizer"].std.dtype == torch.float64


def test_a_model_made_on_the_meta_device_can_be_filled() -> None:
    with torch.device("meta"):
        normalizer = LatentNormalizer(4)
    normalizer = normalizer.to_empty(device="cpu")
    normalizer.load_state_dict(moments_of(some_latents()).to_normalizer().state_dict())
    assert normalizer.std[2].item() == pytest.approx(5.0, rel=0.1)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused_and_not_counted(bad: float) -> None:
    moments = moments_of(some_latents())
    before = moments.mean.clone()
    latents = some_latents()
    latents[17, 2] = bad
    with pytest.raises(DataError, match=r"channels \[2\]"):
        moments.update(latents)
    assert moments.count == 1000
    assert torch.equal(moments.mean, before)


@pytest.mark.parametrize("value", [0.0, 0.1, -7e4])
def test_a_constant_channel_is_refused_by_number(value: float) -> None:
    latents = some_latents()
    latents[:, 1] = value
    with pytest.raises(DataError, match=r"channels \[1\] are constant"):
        moments_of(*latents.split(70)).to_normalizer()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_latents_are_refused(count: int) -> None:
    with pytest.raises(DataError, match="at least 2"):
        moments_of(some_latents()[:count]).to_normalizer()


def test_the_wrong_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        RunningMoments.empty(4).update(torch.randn(3, 5))
