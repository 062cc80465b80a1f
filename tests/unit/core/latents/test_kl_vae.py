import pytest
import torch
from torch.distributions import Normal, kl_divergence

from latentspeech.core.latents.kl_vae import (
    KLVAEConfig,
    LearnedPosterior,
    kl_regularizer,
    sample_learned_posterior,
)
from latentspeech.core.tensors import make_generator


def make(frames: int = 6) -> tuple[torch.Tensor, LearnedPosterior]:
    output = torch.randn(2, frames, 8, requires_grad=True)
    return output, LearnedPosterior.from_encoder(output, 4)


def test_the_regularizer_is_the_mean_divergence_from_a_standard_normal() -> None:
    _, posterior = make()
    exact = kl_divergence(
        Normal(posterior.mu, (0.5 * posterior.log_variance).exp()), Normal(0.0, 1.0)
    )
    found = kl_regularizer(KLVAEConfig(kl_weight=0.3), posterior)
    torch.testing.assert_close(found, 0.3 * exact.mean())
    mask = torch.tensor([[True] * 4 + [False] * 2, [True] + [False] * 5])
    masked = kl_regularizer(KLVAEConfig(kl_weight=1.0), posterior, mask)
    torch.testing.assert_close(masked, exact[mask].mean())
    none = kl_regularizer(KLVAEConfig(kl_weight=1.0), posterior, torch.zeros_like(mask))
    assert none.item() == 0


def test_samples_have_the_learned_moments_of_each_element() -> None:
    mu, log_variance = torch.randn(2, 1, 1, 4)
    posterior = LearnedPosterior(mu.expand(1, 40_000, 4), log_variance.expand(1, 40_000, 4))
    z = sample_learned_posterior(posterior, make_generator(0, "z"))
    torch.testing.assert_close(z.mean(dim=1), mu[0], atol=0.04, rtol=0)
    torch.testing.assert_close(z.var(dim=1), log_variance[0].exp(), atol=0, rtol=0.04)
    assert torch.equal(z, sample_learned_posterior(posterior, make_generator(0, "z")))


def test_gradients_reach_means_and_variances() -> None:
    output, posterior = make()
    sample_learned_posterior(posterior, make_generator(0, "z")).square().sum().backward()
    assert output.grad is not None
    assert (output.grad != 0).all()


def test_an_extreme_log_variance_stays_finite() -> None:
    output = torch.tensor([[[0.0, 1e4], [0.0, -1e4]]])
    posterior = LearnedPosterior.from_encoder(output, 1)
    assert sample_learned_posterior(posterior, make_generator(0, "z")).isfinite().all()
    assert kl_regularizer(KLVAEConfig(kl_weight=1.0), posterior).isfinite()


def test_an_encoder_without_variances_is_refused() -> None:
    with pytest.raises(ValueError, match="encoder output has shape"):
        LearnedPosterior.from_encoder(torch.zeros(2, 3, 4), 4)
