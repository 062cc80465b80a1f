"""The noise and the regulariser of each kind of posterior."""

import pytest
import torch

from latentspeech.core.tensors import make_generator
from latentvision.tokenizer.model import make_posterior
from latentvision.tokenizer.posterior import LearnedPosteriorConfig
from latentvision.tokenizer.vector_quantizer import VectorQuantizer
from tests.tiny_tokenizer import POSTERIORS, make_tokenizer, random_images


def draw(kind: str, encoded: torch.Tensor, seed: int = 0):
    posterior = make_posterior(POSTERIORS[kind], 5)
    return posterior.draw(encoded, make_generator(seed, "noise"))


def test_the_given_sigma_is_the_noise_s_scale() -> None:
    encoded = torch.zeros(4000, 4, 5)
    deviations = draw("per_example", encoded).z.std(dim=(1, 2))  # one sigma an example
    assert float(deviations.mean()) == pytest.approx(0.75, rel=0.05)
    assert float(deviations.std()) > 0.3
    fixed = draw("fixed", encoded)
    assert float(fixed.z.std()) == pytest.approx(0.5, rel=0.01)
    assert torch.equal(fixed.mu, encoded)


def test_the_mean_regulariser_and_the_ratio() -> None:
    encoded = torch.randn(50, 16, 5, generator=make_generator(0, "mu")) * 1.5
    drawn = draw("per_example", encoded)
    assert float(drawn.regularizer) == pytest.approx(0.01 * float(encoded.square().mean()))
    # std(mu) / E|sigma| = 1.5 / 0.748
    assert float(drawn.metrics["log_std_mu_over_sigma"]) == pytest.approx(0.696, abs=0.02)


def test_a_learned_variance_starts_where_it_is_wanted() -> None:
    tokenizer = make_tokenizer("learned")
    encoded = tokenizer.encoder(random_images(8))
    metrics = tokenizer.posterior.metrics(encoded)
    assert 3e-4 < float(metrics["posterior_variance"]) < 3e-3
    config = LearnedPosteriorConfig(initial_variance=0.09)
    posterior = make_posterior(config, 5)
    flat = torch.zeros(500, 16, 10)
    flat[..., 5:] = torch.tensor(0.09).log()
    drawn = posterior.draw(flat, make_generator(0, "noise"))
    assert float(drawn.z.std()) == pytest.approx(0.3, rel=0.01)
    assert float(drawn.metrics["posterior_variance"]) == pytest.approx(0.09, rel=1e-4)
    kl = 0.5 * (0.09 - 1 - torch.tensor(0.09).log())
    assert float(drawn.regularizer) == pytest.approx(config.kl_weight * float(kl), rel=1e-4)


def test_quantisation_takes_the_nearest_code() -> None:
    quantizer = make_posterior(POSTERIORS["vq"], 5)
    assert isinstance(quantizer, VectorQuantizer)
    encoded = torch.randn(3, 16, 5, generator=make_generator(0, "encoded"))
    unit = torch.nn.functional.normalize(encoded, dim=-1)
    table = torch.nn.functional.normalize(quantizer.codebook.weight, dim=-1)
    distances = (unit[:, :, None] - table).square().sum(dim=-1)  # (3, 16, codes)
    assert torch.equal(quantizer.codes(encoded), distances.argmin(dim=-1))
    # The length of an encoder's output does not matter.
    assert torch.equal(quantizer.codes(7 * encoded), quantizer.codes(encoded))


def test_the_gradient_goes_straight_through_the_codes() -> None:
    quantizer = make_posterior(POSTERIORS["vq"], 5)
    assert isinstance(quantizer, VectorQuantizer)
    encoded = torch.nn.functional.normalize(
        torch.randn(2, 4, 5, generator=make_generator(0, "encoded")), dim=-1
    ).requires_grad_()
    drawn = quantizer.draw(encoded, make_generator(0, "unused"))
    assert torch.allclose(drawn.z, drawn.mu, atol=1e-6)
    weights = torch.randn(2, 4, 5, generator=make_generator(0, "weights"))
    (drawn.z * weights).sum().backward(retain_graph=True)
    assert encoded.grad is not None
    # Through the scaling to length 1: the part of the weights across the unit vector.
    across = weights - (weights * encoded).sum(dim=-1, keepdim=True) * encoded.detach()
    assert torch.allclose(encoded.grad, across.detach(), atol=1e-5)
    assert quantizer.codebook.weight.grad is None
    drawn.regularizer.backward()
    assert quantizer.codebook.weight.grad is not None


def test_the_codebook_s_loss_by_hand() -> None:
    quantizer = make_posterior(POSTERIORS["vq"], 5)
    encoded = torch.randn(2, 4, 5, generator=make_generator(0, "encoded"))
    drawn = quantizer.draw(encoded, make_generator(0, "unused"))
    unit = torch.nn.functional.normalize(encoded, dim=-1)
    distance = (unit - drawn.mu).square().mean().item()
    assert drawn.regularizer.item() == pytest.approx(1.25 * distance)


def test_perplexity_counts_the_codes_in_use() -> None:
    quantizer = make_posterior(POSTERIORS["vq"], 5)
    assert isinstance(quantizer, VectorQuantizer)
    four = quantizer.vectors(torch.tensor([[3, 9, 17, 40] * 4]))
    assert float(quantizer.metrics(four)["code_perplexity"]) == pytest.approx(4, rel=1e-4)
