"""MAR: hidden latents are never seen, only they are predicted, and each is drawn once."""

import math

import pytest
import torch
from torch import Tensor

from latentspeech.core.errors import ConfigError
from latentspeech.core.tensors import make_generator
from latentvision.generation.generator import ImageSampling
from latentvision.generation.study.mar import MAR, round_sizes
from tests.tiny_generators import SPACE, batch_of, make

COUNT, SIZE = SPACE.num_latents, SPACE.latent_dim


@pytest.fixture
def model() -> MAR:
    found = make("mar")
    assert isinstance(found, MAR)
    return found


def test_no_state_sees_a_hidden_latent_and_all_see_the_others(model: MAR) -> None:
    x = torch.randn(2, COUNT, SIZE, dtype=torch.float64, requires_grad=True)
    hidden = torch.rand(2, COUNT, generator=make_generator(0, "hide")) < 0.6
    states = model(x, hidden, torch.tensor([0, 1]))
    for place in range(COUNT):
        (grad,) = torch.autograd.grad(states[:, place].sum(), x, retain_graph=True)
        assert torch.equal(grad.abs().amax(dim=2) > 0, ~hidden)


def test_only_hidden_latents_are_predicted(model: MAR, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head gets the hidden latents, each with the state of its own place."""
    batch = batch_of("mar")
    seen: list[tuple[Tensor, Tensor]] = []

    def loss(x0: Tensor, cond: Tensor, generator: torch.Generator) -> Tensor:
        seen.append((x0, cond))
        return torch.arange(len(x0), dtype=torch.float32)

    monkeypatch.setattr(model.diffusion, "loss", loss)
    found = model.loss(batch, make_generator(0, "loss"))
    ((targets, conditions),) = seen
    hidden = model.draw_hidden(4, make_generator(0, "loss"))
    x = model.normalizer.normalize(batch.latents)
    assert torch.equal(targets, x[hidden])
    assert torch.equal(conditions, model(x, hidden, batch.labels)[hidden])
    values = torch.zeros(4, COUNT)
    values[hidden] = torch.arange(int(hidden.sum()), dtype=torch.float32)
    of_image = values.sum(dim=1) / hidden.sum(dim=1)
    torch.testing.assert_close(found, of_image.mean())


def test_the_share_of_hidden_latents_is_that_of_the_paper(model: MAR) -> None:
    hidden = model.draw_hidden(4000, make_generator(0, "share"))
    share = hidden.double().mean(dim=1)
    assert float(share.min()) >= 0.7
    # A normal cut to [-1.2, 0] deviations has the mean -(pdf(0) - pdf(1.2)) / (cdf(1.2) - .5).
    density = (1 - math.exp(-0.72)) / math.sqrt(2 * math.pi)
    mean = 1 - 0.25 * density / (0.5 * math.erf(1.2 / math.sqrt(2)))
    assert float(share.mean()) == pytest.approx(mean + 0.5 / COUNT, abs=0.01)
    often = hidden.double().mean(dim=0)
    assert float(often.max() - often.min()) < 0.03


@pytest.mark.parametrize(("total", "rounds"), [(256, 64), (256, 256), (12, 5), (12, 1), (576, 64)])
def test_rounds_follow_the_cosine(total: int, rounds: int) -> None:
    sizes = round_sizes(total, rounds)
    assert len(sizes) == rounds
    assert sum(sizes) == total
    assert min(sizes) >= 1
    left = total - torch.tensor(sizes).cumsum(0)
    angle = torch.arange(1, rounds + 1) / rounds * math.pi / 2
    wanted = (total * angle.cos()).floor()
    if rounds <= total // 4:
        assert float((left - wanted).abs().max()) <= 3  # where the cosine draws less than one
    with pytest.raises(ConfigError, match=f"num_rounds = {total + 1} for images of {total}"):
        round_sizes(total, total + 1)


def test_each_latent_is_drawn_once_from_those_drawn_before(
    model: MAR, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round sees what the image has by then, and changes its own places alone."""
    seen: list[tuple[Tensor, Tensor]] = []
    forward = model.forward

    def record(x: Tensor, hidden: Tensor, labels: Tensor) -> Tensor:
        seen.append((model.normalizer.denormalize(x).clone(), hidden.clone()))
        return forward(x, hidden, labels)

    monkeypatch.setattr(model, "forward", record)
    generators = [make_generator(0, "image", number) for number in range(2)]
    final = model.sample(torch.tensor([0, 1]), generators, ImageSampling(num_steps=2, num_rounds=4))
    assert [int((~hidden[0]).sum()) for _, hidden in seen] == [
        0,
        *torch.tensor(round_sizes(COUNT, 4)).cumsum(0).tolist()[:-1],
    ]
    for x, hidden in seen:
        torch.testing.assert_close(x[~hidden].to(final), final[~hidden])
    assert not torch.equal(seen[1][1][0], seen[1][1][1])  # orders differ


def test_the_first_round_draws_what_the_head_draws(model: MAR) -> None:
    labels = torch.tensor([0])
    sampling = ImageSampling(num_steps=3, num_rounds=1, cfg_scale=2.0)
    drawn = model.sample(labels, [make_generator(0, "image")], sampling)
    generator = make_generator(0, "image")
    order = torch.randperm(COUNT, generator=generator)
    noise = torch.randn(COUNT, SIZE, generator=generator)
    everything = torch.ones(1, COUNT, dtype=torch.bool)
    x = torch.zeros(1, COUNT, SIZE, dtype=torch.float64)
    with torch.no_grad():
        cond, uncond = (
            model(x, everything, torch.tensor([label]))[0] for label in (0, SPACE.null_class)
        )
    expected = model.diffusion.sample(cond[order], noise[order], uncond[order], sampling)
    expected = model.normalizer.denormalize(expected)[order.argsort()]
    torch.testing.assert_close(drawn[0], expected.to(drawn), rtol=1e-5, atol=1e-5)
