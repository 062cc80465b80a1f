"""GIVT: its likelihood and draws against torch.distributions, its order, its guidance."""

import pytest
import torch
from torch import Tensor, distributions

from latentspeech.core.tensors import make_generator
from latentvision.generation.generator import ImageSampling
from latentvision.generation.study.givt import GIVT
from latentvision.generation.study.mixture_head import Mixture, MixtureHead, choose_guided
from tests.tiny_generators import SPACE, batch_of, make

COUNT = SPACE.num_latents


@pytest.fixture
def model() -> GIVT:
    found = make("givt")
    assert isinstance(found, GIVT)
    return found


def reference(mixture: Mixture) -> distributions.MixtureSameFamily:
    parts = distributions.Independent(distributions.Normal(mixture.means, mixture.deviations), 1)
    return distributions.MixtureSameFamily(
        distributions.Categorical(logits=mixture.log_weights), parts
    )


def test_the_likelihood_is_that_of_torch() -> None:
    torch.manual_seed(0)
    head = MixtureHead(model_dim=24, latent_dim=4, num_mixtures=16)
    torch.nn.init.normal_(head.output.weight)
    mixture = head(torch.randn(3, 7, 24))
    x = 3 * torch.randn(3, 7, 4)
    torch.testing.assert_close(mixture.log_density(x), reference(mixture).log_prob(x))
    assert bool((mixture.deviations > 0).all())


def test_the_loss_is_the_negative_likelihood_of_the_latents(model: GIVT) -> None:
    batch = batch_of("givt")
    x = (batch.latents - 0.3) / 2
    mixture = model.head(model(x, batch.labels))
    expected = -reference(mixture).log_prob(x).mean() / SPACE.latent_dim
    torch.testing.assert_close(model.loss(batch, make_generator(0, "x")), expected)


def test_draws_have_the_moments_of_the_mixture() -> None:
    mixture = Mixture(
        torch.tensor([0.2, 0.8]).log(),
        torch.tensor([[-2.0, 0.0], [1.0, 3.0]]),
        torch.tensor([[0.5, 1.0], [0.3, 0.1]]),
    )
    generator = make_generator(0, "draws")
    uniforms = torch.rand(20_000, generator=generator)
    noise = torch.randn(20_000, 2, generator=generator)
    drawn, known = mixture.draw(uniforms, noise), reference(mixture)
    torch.testing.assert_close(drawn.mean(0), known.mean, rtol=0.03, atol=0.03)
    torch.testing.assert_close(drawn.std(0), known.stddev, rtol=0.03, atol=0.03)
    centres = mixture.draw(uniforms, noise, temperature=0.0).unique(dim=0)
    assert centres.tolist() == mixture.means.tolist()


def test_guidance_draws_from_the_sharper_density() -> None:
    """N(1, 1) against N(0, 1): p_c^s p_u^(1 - s) is N(s, 1)."""
    rows, candidates, scale = 4000, 256, 1.7

    def normal(mean: float) -> Mixture:
        return Mixture(
            torch.zeros(rows, 1, 1),
            torch.full((rows, 1, 1, 1), mean),
            torch.ones(rows, 1, 1, 1),
        )

    generator = make_generator(0, "draws")
    drawn = 1 + torch.randn(rows, candidates, 1, generator=generator)
    uniforms = torch.rand(rows, 1, generator=generator)
    chosen = choose_guided(normal(1.0), normal(0.0), drawn, scale, uniforms)
    assert float(chosen.mean()) == pytest.approx(scale, abs=0.06)
    assert float(chosen.std()) == pytest.approx(1, abs=0.06)
    plain = choose_guided(normal(1.0), normal(0.0), drawn, 1.0, uniforms)
    assert float(plain.mean()) == pytest.approx(1, abs=0.06)


def test_the_state_before_a_latent_sees_the_latents_before_it_alone(model: GIVT) -> None:
    x = torch.randn(2, COUNT, SPACE.latent_dim, dtype=torch.float64, requires_grad=True)
    hidden = model(x, torch.tensor([0, 1]))
    for place in range(COUNT):
        (grad,) = torch.autograd.grad(hidden[:, place].sum(), x, retain_graph=True)
        seen = grad.abs().amax(dim=(0, 2)) > 0
        assert seen.tolist() == [other < place for other in range(COUNT)]


def again(model: GIVT, drawn: Tensor, labels: Tensor, seed: int) -> Tensor:
    """Draws every latent from the states of a whole pass over those drawn before."""
    with torch.no_grad():
        mixture = model.head(model(model.normalizer.normalize(drawn), labels))
    generators = [make_generator(seed, "image", number) for number in range(len(labels))]
    places = []
    for place in range(COUNT):
        parts = [
            (torch.rand(2, generator=g), torch.randn(1, SPACE.latent_dim, generator=g))
            for g in generators
        ]
        uniforms, noise = (torch.stack(part) for part in zip(*parts, strict=True))
        at_place = Mixture(*(part[:, place] for part in mixture))
        places.append(at_place.draw(uniforms[:, :1], noise)[:, 0])
    return model.normalizer.denormalize(torch.stack(places, dim=1))


def test_prefill_and_steps_equal_the_whole_sequence(model: GIVT) -> None:
    labels = torch.tensor([0, 2])
    generators = [make_generator(3, "image", number) for number in range(2)]
    drawn = model.sample(labels, generators, ImageSampling()).clone()
    torch.testing.assert_close(
        drawn, again(model, drawn, labels, 3).to(drawn), rtol=1e-5, atol=1e-5
    )


def test_guidance_moves_latents_towards_their_class(model: GIVT) -> None:
    """Guided latents are likelier, relative to the model without the class."""
    labels = torch.tensor([0, 1, 2] * 20)
    ratios = []
    for scale in (1.0, 3.0):
        generators = [make_generator(3, "image", number) for number in range(len(labels))]
        drawn = model.sample(labels, generators, ImageSampling(cfg_scale=scale)).clone()
        x = model.normalizer.normalize(drawn)
        with torch.no_grad():
            of_class, without = (
                model.head(model(x, each)).log_density(x).sum()
                for each in (labels, torch.full_like(labels, SPACE.null_class))
            )
        ratios.append(float(of_class - without))
    assert ratios[1] > ratios[0] + 10
