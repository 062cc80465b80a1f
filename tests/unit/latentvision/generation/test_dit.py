"""The DiT twin: identity when fresh, bidirectional, one time an image, positions by row."""

from functools import partial

import pytest
import torch
from torch import Tensor

from latentspeech.core.tensors import make_generator
from latentvision.generation.build import build_generator
from latentvision.generation.dit import DiT
from latentvision.generation.generator import ImageSampling
from tests.tiny_generators import CONFIGS, SPACE, batch_of, make

COUNT, SIZE = SPACE.num_latents, SPACE.latent_dim


@pytest.fixture
def model() -> DiT:
    found = make("dit")
    assert isinstance(found, DiT)
    return found


def test_a_fresh_one_is_the_identity_and_predicts_nothing() -> None:
    fresh = build_generator(SPACE, CONFIGS["dit"])
    assert isinstance(fresh, DiT)
    x = torch.randn(2, COUNT, SIZE)
    t, labels = torch.tensor([0.2, 0.9]), torch.tensor([0, 1])
    condition = fresh.time(t) + fresh.label_embedding(labels)
    inputs = fresh.input(x) + fresh.positions
    unit = inputs / (inputs.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(fresh.backbone(inputs, condition), unit)
    assert not fresh(x, t, labels).any()


def test_every_place_sees_every_other_and_knows_where_it_is(model: DiT) -> None:
    x = torch.randn(1, COUNT, SIZE, dtype=torch.float64, requires_grad=True)
    t, labels = torch.tensor([0.5]), torch.tensor([1])
    for place in range(COUNT):
        (grad,) = torch.autograd.grad(model(x, t, labels)[0, place].sum(), x)
        assert bool((grad[0].abs().amax(dim=1) > 0).all())
    same = model(torch.ones(1, COUNT, SIZE), t, labels)[0]
    distances = torch.cdist(same, same) + torch.eye(COUNT)
    assert float(distances.detach().min()) > 1e-4


def test_time_and_class_change_the_prediction(model: DiT) -> None:
    x, t, labels = torch.randn(1, COUNT, SIZE), torch.tensor([0.5]), torch.tensor([1])
    with torch.no_grad():
        first, later, other = (
            model(x, t, labels),
            model(x, t + 0.2, labels),
            model(x, t, labels + 1),
        )
    assert float((later - first).abs().min()) > 1e-6
    assert float((other - first).abs().min()) > 1e-6


def test_training_noises_a_whole_image_to_one_time(
    model: DiT, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    forward = model.forward

    def record(x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        seen.append((x_t, t))
        return forward(x_t, t, labels)

    monkeypatch.setattr(model, "forward", record)
    batch = batch_of("dit")
    model.loss(batch, make_generator(0, "loss"))
    ((x_t, t),) = seen
    generator = make_generator(0, "loss")
    assert torch.equal(t, model.process.sample_times((4,), generator))
    noise = torch.randn(x_t.shape, generator=generator)
    alpha, sigma = (level[:, None, None] for level in model.process.schedule.alpha_sigma(t))
    torch.testing.assert_close(x_t, alpha * (batch.latents - 0.3) / 2 + sigma * noise)


def test_nothing_of_the_image_reaches_the_network_but_through_its_noise(model: DiT) -> None:
    """At time 1 the signal is gone, and so is the gradient from prediction to image."""
    latents = batch_of("dit").latents.requires_grad_()
    labels = torch.arange(4)
    grads = []
    for time in (1.0, 0.5):
        t = torch.full((4,), time)
        x_t, _ = model.process.noised(latents, torch.randn(latents.shape), t)
        prediction = partial(model, labels=labels)(x_t, t)
        (grad,) = torch.autograd.grad(prediction.sum(), latents)
        grads.append(float(grad.abs().mean()))
    assert grads[0] < 2e-4 * grads[1]


def test_guidance_is_that_of_the_equation(model: DiT) -> None:
    """One step of DDIM to the data is x_0 itself, of which guidance is an extrapolation."""
    labels = torch.tensor([0])

    def draw(label: int, scale: float) -> Tensor:
        sampling = ImageSampling(num_steps=1, cfg_scale=scale)
        return model.sample(labels + label, [make_generator(0, "x")], sampling)

    cond, uncond = draw(0, 1.0), draw(SPACE.null_class, 1.0)
    torch.testing.assert_close(draw(0, 3.0), uncond + 3 * (cond - uncond), rtol=1e-5, atol=1e-5)
