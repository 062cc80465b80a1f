import pytest
import torch

from latentspeech.core.config import Config, parse_config
from latentspeech.core.diffusion.config import CosineDDPMConfig, FlowMatchingConfig, ScheduleConfig
from latentspeech.core.diffusion.schedules import CosineDDPM, FlowMatching, build_schedule
from latentspeech.core.errors import ConfigError
from tests.reference.diffusion_cosine import alpha_bar_table

COSINE = CosineDDPM(CosineDDPMConfig())


class Holder(Config):
    schedule: ScheduleConfig


def test_kind_chooses_the_schedule_and_an_unknown_one_is_an_error() -> None:
    flow = parse_config(Holder, {"schedule": {"kind": "flow_matching"}}).schedule
    cosine = parse_config(Holder, {"schedule": {"kind": "cosine_ddpm"}}).schedule
    assert isinstance(build_schedule(flow), FlowMatching)
    assert isinstance(build_schedule(cosine), CosineDDPM)
    assert isinstance(flow, FlowMatchingConfig)
    with pytest.raises(ConfigError, match="linear"):
        parse_config(Holder, {"schedule": {"kind": "linear"}})


def test_cosine_table_equals_the_recursion_over_betas() -> None:
    t = torch.arange(1001, dtype=torch.float64) / 1000
    alpha, sigma = COSINE.alpha_sigma(t)
    expected = torch.tensor(alpha_bar_table(1000, 0.008, 0.999), dtype=torch.float64)
    torch.testing.assert_close(alpha.square(), expected, rtol=1e-9, atol=1e-13)
    torch.testing.assert_close(sigma.square(), 1 - expected, rtol=1e-9, atol=1e-13)


def test_float32_times_meet_the_table_entries() -> None:
    """0.6 and the like are not exact in float32; sigma after one step is only 0.006."""
    t = torch.arange(1001, dtype=torch.float32) / 1000
    alpha, sigma = COSINE.alpha_sigma(t)
    expected = torch.tensor(alpha_bar_table(1000, 0.008, 0.999), dtype=torch.float64)
    assert alpha.dtype == sigma.dtype == torch.float32
    torch.testing.assert_close(alpha.double(), expected.sqrt(), rtol=2e-5, atol=1e-7)
    torch.testing.assert_close(sigma.double(), (1 - expected).sqrt(), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("schedule", [COSINE, FlowMatching()], ids=["cosine", "flow"])
def test_levels_run_from_clean_data_to_noise(schedule: CosineDDPM | FlowMatching) -> None:
    t = torch.linspace(0, 1, 4001, dtype=torch.float64)
    alpha, sigma = schedule.alpha_sigma(t)
    assert (alpha.diff() < 0).all()
    assert (sigma.diff() > 0).all()
    assert (alpha[0], sigma[0]) == (1, 0)
    assert sigma[-1] == pytest.approx(1, abs=1e-6)
    assert 0 <= alpha[-1] < 1e-4


def test_cosine_is_variance_preserving_between_its_entries() -> None:
    alpha, sigma = COSINE.alpha_sigma(torch.rand(500, dtype=torch.float64))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones(500, dtype=torch.float64))


def test_levels_have_the_shape_of_the_times() -> None:
    for shape in ((), (3,), (2, 5)):
        for schedule in (COSINE, FlowMatching()):
            assert [level.shape for level in schedule.alpha_sigma(torch.rand(shape))] == [shape] * 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_times_give_float32_levels(dtype: torch.dtype) -> None:
    for schedule in (COSINE, FlowMatching()):
        for level in schedule.alpha_sigma(torch.tensor([0.25, 0.5]).to(dtype)):
            assert level.dtype == torch.float32


def test_the_table_of_a_model_made_on_the_meta_device_is_real() -> None:
    with torch.device("meta"):
        schedule = CosineDDPM(CosineDDPMConfig())
    t = torch.rand(5)
    assert torch.equal(schedule.alpha_sigma(t)[0], COSINE.alpha_sigma(t)[0])
