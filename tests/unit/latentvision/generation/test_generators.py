"""What holds for every generator of images: LatentLM, DiT, GIVT, VQ and MAR."""

import math

import pytest
import torch
from torch import Tensor

from latentspeech.core.errors import ConfigError
from latentspeech.core.tensors import make_generator
from latentvision.generation.generator import ImageGenerator, ImageSampling
from tests.tiny_generators import (
    CODES,
    CONFIGS,
    CONTINUOUS,
    DIFFUSION,
    KINDS,
    SPACE,
    batch_of,
    make,
    space_of,
)

SETTINGS = {"lm": {"num_steps": 3}, "dit": {"num_steps": 3}, "givt": {}, "vq": {}}
SETTINGS["mar"] = {"num_steps": 3, "num_rounds": 5}


def draw(model: ImageGenerator, kind: str, labels: list[int], **settings: object) -> Tensor:
    sampling = ImageSampling(**{**SETTINGS[kind], **settings})
    generators = [make_generator(7, "image", number) for number in range(len(labels))]
    return model.sample(torch.tensor(labels), generators, sampling)


def forget_classes(model: ImageGenerator) -> None:
    """Makes all classes alike, and like the null class."""
    for name, parameter in model.named_parameters():
        if name == "label_embedding.weight":
            parameter.data[:] = parameter.data[:1]
        if name == "lm.token_embedding.weight":
            first = CODES.num_codes if len(parameter) == 7 + 4 else 0
            parameter.data[first : first + 4] = parameter.data[first]


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_step_reaches_every_weight(kind: str) -> None:
    model = make(kind)
    loss = model.loss(batch_of(kind), make_generator(0, "loss"))
    assert loss.shape == ()
    assert math.isfinite(float(loss.detach()))
    loss.backward()
    untouched = [name for name, p in model.named_parameters() if p.grad is None]
    assert untouched == []
    still = [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert still == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_steps_lower_the_loss(kind: str) -> None:
    """Of one batch, whose latents depend on the class."""
    model = make(kind).train()
    batch = batch_of(kind)
    latents = batch.labels[:, None, None] + torch.zeros_like(batch.latents)
    batch = batch._replace(latents=latents)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for step in range(30):
        loss = model.loss(batch, make_generator(0, "loss", step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-10:]) < sum(losses[:10]) - 10 * 0.1 * abs(losses[0])


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_their_shape_and_their_own_randomness(kind: str) -> None:
    """An image drawn beside others equals the same one drawn alone."""
    model = make(kind)
    space = space_of(kind)
    images = draw(model, kind, [0, 1, 3])
    assert images.shape == (3, space.num_latents, space.latent_dim)
    assert bool(images.isfinite().all())
    torch.testing.assert_close(draw(model, kind, [0])[0], images[0], rtol=1e-6, atol=1e-6)
    assert not torch.equal(images[0], images[2])
    if kind == "vq":
        assert set(images.flatten().tolist()) <= set(range(7))


@pytest.mark.parametrize("kind", KINDS)
def test_the_work_done_is_told(kind: str) -> None:
    model = make(kind)
    told: list[tuple[int, int]] = []
    sampling = ImageSampling(**SETTINGS[kind])
    model.sample(
        torch.tensor([0]), [make_generator(0, "x")], sampling, lambda *done: told.append(done)
    )
    assert told == [(number + 1, told[-1][1]) for number in range(told[-1][1])]


@pytest.mark.parametrize("kind", [*DIFFUSION, "vq"])
def test_guidance_does_nothing_if_the_class_does_nothing(kind: str) -> None:
    """And it does something if classes differ."""
    settings = {"temperature": 0.0} if kind == "vq" else {}
    model = make(kind)
    plain = draw(model, kind, [0, 1], **settings)
    guided = draw(model, kind, [0, 1], cfg_scale=4.0, **settings)
    assert float((plain - guided).abs().max()) > 0.05
    forget_classes(model)
    plain = draw(model, kind, [0, 1], **settings)
    guided = draw(model, kind, [0, 1], cfg_scale=4.0, **settings)
    torch.testing.assert_close(plain, guided, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_guidance_of_one_is_the_model_with_the_class_alone(kind: str) -> None:
    """The null class has no influence then, whatever its embedding is."""
    model = make(kind)
    before = draw(model, kind, [0, 2])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name == "label_embedding.weight":
                parameter[SPACE.null_class] = 100.0
            if name == "lm.token_embedding.weight":
                parameter[SPACE.null_class + (7 if kind == "vq" else 0)] = 100.0
    assert torch.equal(before, draw(model, kind, [0, 2]))
    assert not torch.equal(before, draw(model, kind, [SPACE.null_class] * 2))


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_fixed_norms_stay_with_guidance_too(kind: str) -> None:
    model = make(kind, fixed_norm=True)
    for scale in (1.0, 5.0):
        raw = draw(model, kind, [0, 1], cfg_scale=scale)
        norms = ((raw - 0.3) / 2.0).norm(dim=-1)
        torch.testing.assert_close(norms, torch.full_like(norms, math.sqrt(SPACE.latent_dim)))
    free = draw(make(kind), kind, [0, 1], cfg_scale=5.0)
    assert float(((free - 0.3) / 2.0).norm(dim=-1).std()) > 0.01


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_fixed_norm_models_learn_directions_only(kind: str) -> None:
    """The length of a latent, measured from the mean, changes neither inputs nor targets."""
    model = make(kind, fixed_norm=True)
    batch = batch_of(kind)
    longer = batch._replace(latents=(batch.latents - 0.3) * 7 + 0.3)
    losses = [
        float(model.loss(each, make_generator(0, "loss")).detach()) for each in (batch, longer)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    plain = make(kind)
    losses = [
        float(plain.loss(each, make_generator(0, "loss")).detach()) for each in (batch, longer)
    ]
    assert losses[0] != pytest.approx(losses[1], rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_settings_without_effect_are_refused(kind: str) -> None:
    model = make(kind)
    others = {"num_steps": 7, "temperature": 0.5, "num_rounds": 3, "top_p": 0.5}
    others |= {"noise_scale": 0.5, "num_candidates": 3}
    for name, value in others.items():
        if name in model.uses:
            draw(model, kind, [0], **{name: value})
        else:
            with pytest.raises(ConfigError, match=f"{name} = .* has no effect on a model of kind"):
                draw(model, kind, [0], **{name: value})


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_inputs_say_so(kind: str) -> None:
    model = make(kind)
    with pytest.raises(ConfigError, match=r"labels \[4\]; expected 0 to 2, or 3 for no class"):
        draw(model, kind, [4])
    batch = batch_of(kind)
    with pytest.raises(ValueError, match="latents has shape"):
        model.loss(batch._replace(latents=batch.latents[:, 1:]), make_generator(0, "loss"))


def test_a_dit_of_several_draws_and_vq_of_latents_are_refused() -> None:
    from latentspeech.core.config import parse_config
    from latentvision.generation.build import build_generator
    from latentvision.generation.dit import DiTConfig

    with pytest.raises(ConfigError, match="num_noise_draws is 4; expected 1"):
        parse_config(DiTConfig, {"diffusion": {}})
    with pytest.raises(ConfigError, match="kind vq for latents; expected codes"):
        build_generator(SPACE, CONFIGS["vq"])
