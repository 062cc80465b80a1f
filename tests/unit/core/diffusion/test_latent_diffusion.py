from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from latentspeech.core.config import parse_config
from latentspeech.core.diffusion.config import DiffusionConfig, DiffusionHeadConfig
from latentspeech.core.diffusion.guidance import guide
from latentspeech.core.diffusion.latent_diffusion import LatentDiffusion
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.diffusion.solver_steps import SolverKind
from latentspeech.core.errors import ConfigError
from latentspeech.core.tensors import make_generator

SOLVERS = get_args(SolverKind)
HEAD = DiffusionHeadConfig(latent_dim=3, model_dim=32, cond_dim=8, num_layers=1, ffn_dim=64)


def trained(**settings: object) -> LatentDiffusion:
    """A model whose zero-initialised weights are random, as after training."""
    diffusion = LatentDiffusion(parse_config(DiffusionConfig, settings), HEAD)
    for parameter in diffusion.parameters():
        nn.init.normal_(parameter, std=0.15)
    return diffusion


def test_guidance_is_off_at_one_unconditional_at_zero_and_linear() -> None:
    cond, uncond = torch.randn(2, 5, 3)
    torch.testing.assert_close(guide(cond, uncond, 1.0), cond)
    torch.testing.assert_close(guide(cond, uncond, 0.0), uncond)
    torch.testing.assert_close(guide(cond, uncond, 4.0), 4 * cond - 3 * uncond)


@pytest.mark.parametrize("solver", SOLVERS)
def test_guided_sampling_at_scale_one_equals_unguided(solver: SolverKind) -> None:
    model = trained()
    cond, uncond, noise = torch.randn(4, 8), torch.randn(4, 8), torch.randn(4, 3)
    plain = model.sample(cond, noise, None, LatentSampling(solver=solver))
    torch.testing.assert_close(
        model.sample(cond, noise, uncond, LatentSampling(solver=solver)), plain
    )
    away = model.sample(cond, noise, uncond, LatentSampling(cfg_scale=4.0, solver=solver))
    assert (away - plain).abs().max() > 1e-3


def test_the_same_condition_twice_makes_guidance_idle() -> None:
    model = trained()
    cond, noise = torch.randn(4, 8), torch.randn(4, 3)
    plain = model.sample(cond, noise, None, LatentSampling())
    torch.testing.assert_close(
        model.sample(cond, noise, cond, LatentSampling(cfg_scale=4.0)), plain
    )


def test_a_batch_equals_its_rows_one_by_one() -> None:
    model = trained()
    cond, uncond, noise = torch.randn(5, 8), torch.randn(5, 8), torch.randn(5, 3)
    batch = model.sample(cond, noise, uncond, LatentSampling(cfg_scale=3.0))
    rows = [
        model.sample(
            cond[i : i + 1], noise[i : i + 1], uncond[i : i + 1], LatentSampling(cfg_scale=3.0)
        )
        for i in range(5)
    ]
    torch.testing.assert_close(batch, torch.cat(rows))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_solver_state_of_a_narrow_model_is_float32(
    dtype: torch.dtype, solver: SolverKind
) -> None:
    model = trained()
    cond, noise = torch.randn(4, 8).to(dtype), torch.randn(4, 3)
    expected = model.sample(cond.float(), noise, None, LatentSampling(solver=solver))
    before = model.process.schedule.alpha_sigma(torch.rand(9, generator=make_generator(0, "t")))
    model = model.to(dtype)
    after = model.process.schedule.alpha_sigma(torch.rand(9, generator=make_generator(0, "t")))
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old, new)
    states: list[Tensor] = []
    model.head.input.register_forward_pre_hook(lambda _, args: states.append(args[0]))
    found = model.sample(cond, noise, None, LatentSampling(solver=solver))
    assert found.dtype == torch.float32
    assert states[0].dtype == dtype  # only the head computes in the model's dtype
    assert (found - expected).norm() < 0.05 * expected.norm()


def test_the_noise_is_scaled_before_the_start() -> None:
    model = trained()
    cond, noise = torch.randn(4, 8), torch.randn(4, 3)
    scaled = model.sample(cond, noise, None, LatentSampling(noise_scale=0.3))
    assert torch.equal(scaled, model.sample(cond, 0.3 * noise, None, LatentSampling()))
    assert not torch.equal(scaled, model.sample(cond, noise, None, LatentSampling()))


def test_the_head_is_asked_at_the_times_of_any_grid() -> None:
    """Modulations made for all times together are those of each time."""
    model = trained()
    hidden, x_t = torch.randn(4, 8), torch.randn(4, 3)
    times = torch.tensor([0.9876543, 0.51234, 0.1, 0.5])  # neither even nor in order
    predictors = list(model.predict_at(hidden, times))
    assert len(predictors) == 4
    for predict, t in zip(predictors, times, strict=True):
        torch.testing.assert_close(predict(x_t), model.head(x_t, t.expand(4), hidden))


def test_zero_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="num_steps"):
        LatentSampling(num_steps=0)


@pytest.mark.parametrize("kind", ["cosine_ddpm", "flow_matching"])
def test_a_trained_head_samples_its_data(kind: str) -> None:
    """Two conditions, two narrow clusters: after a short training each draws its own."""
    target = "flow" if kind == "flow_matching" else "v_prediction"
    config = {"schedule": {"kind": kind}, "prediction_type": target}
    model = LatentDiffusion(parse_config(DiffusionConfig, config), HEAD)
    centres = torch.tensor([[1.5, -1.0, 0.5], [-1.0, 1.0, 1.0]])
    conditions = torch.randn(2, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    generator = make_generator(0, "train")
    for _ in range(400):
        which = torch.randint(2, (128,), generator=generator)
        x0 = centres[which] + 0.2 * torch.randn(128, 3, generator=generator)
        optimizer.zero_grad()
        model.loss(x0, conditions[which], generator).mean().backward()
        optimizer.step()
    which = torch.arange(2).repeat_interleave(500)
    noise = torch.randn(1000, 3, generator=generator)
    samples = model.sample(conditions[which], noise, None, LatentSampling(num_steps=20))
    for i in range(2):
        cluster = samples[which == i]
        torch.testing.assert_close(cluster.mean(dim=0), centres[i], atol=0.1, rtol=0)
        assert 0.1 < cluster.std(dim=0).mean() < 0.35


def test_scale_one_evaluates_the_conditional_half_only() -> None:
    model = trained()
    rows: list[int] = []
    model.head.input.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    model.sample(
        torch.randn(4, 8), torch.randn(4, 3), torch.randn(4, 8), LatentSampling(num_steps=2)
    )
    assert rows == [4, 4]


def test_guidance_without_an_unconditional_state_is_refused() -> None:
    with pytest.raises(ConfigError, match="uncond"):
        trained().sample(torch.randn(1, 8), torch.randn(1, 3), None, LatentSampling(cfg_scale=4.0))


@pytest.mark.parametrize("kind", ["cosine_ddpm", "flow_matching"])
def test_an_epsilon_head_of_small_error_samples_at_the_scale_of_its_data(kind: str) -> None:
    """Data N(0, 1): the exact noise is sigma x / (alpha^2 + sigma^2), here with 2% error."""
    model = trained(schedule={"kind": kind}, prediction_type="epsilon")

    def denoise(x_t: Tensor, modulations: list[tuple[Tensor, ...]]) -> Tensor:
        alpha, sigma = model.process.schedule.alpha_sigma(modulations[0][0])
        return sigma * x_t / (alpha**2 + sigma**2) + 0.02 * torch.randn_like(x_t)

    model.head.modulations = lambda prepared, t: [(t,)]  # type: ignore[method-assign]
    model.head.denoise = denoise  # type: ignore[method-assign, assignment]
    samples = model.sample(torch.zeros(4000, 8), torch.randn(4000, 3), None, LatentSampling())
    assert 0.7 < samples.std() < 1.3
