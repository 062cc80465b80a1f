"""Image LatentLM: causal by gradient, stepwise equal to the whole, guided as the equation says."""

import pytest
import torch
from torch import Tensor

from latentspeech.core.diffusion.config import DiffusionConfig
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.lm.loss import latent_lm_loss
from latentspeech.core.tensors import make_generator
from latentvision.generation.generator import ImageSampling
from latentvision.generation.image_lm import CONDITION, IMAGE, ImageLM
from latentvision.generation.space import ImageBatch
from tests.tiny_generators import SPACE, batch_of, make

COUNT = SPACE.num_latents


def states(model: ImageLM, latents: Tensor, labels: Tensor) -> Tensor:
    """The states (B, N, d) that predict the latents."""
    hidden = model.lm(model.mixed_batch(ImageBatch(latents, labels)))
    return hidden[:, CONDITION - 1 : -1]


@pytest.fixture
def model() -> ImageLM:
    found = make("lm")
    assert isinstance(found, ImageLM)
    return found


def test_the_state_before_a_latent_sees_the_latents_before_it_alone(model: ImageLM) -> None:
    batch = batch_of("lm")
    latents = batch.latents.requires_grad_()
    hidden = states(model, latents, batch.labels)
    assert hidden.shape[1] == COUNT
    for place in range(COUNT):
        (grad,) = torch.autograd.grad(hidden[:, place].sum(), latents, retain_graph=True)
        seen = grad.abs().amax(dim=(0, 2)) > 0
        assert seen.tolist() == [other < place for other in range(COUNT)]


def test_the_class_reaches_every_state(model: ImageLM) -> None:
    batch = batch_of("lm")
    one, other = (
        states(model, batch.latents, torch.full_like(batch.labels, label)) for label in (0, 1)
    )
    assert float((one - other).abs().amax(dim=2).min()) > 1e-4


@pytest.mark.parametrize("cfg_scale", [1.0, 3.0])
@pytest.mark.parametrize("schedule", ["cosine_ddpm", "flow_matching"])
def test_prefill_and_steps_equal_the_whole_sequence(schedule: str, cfg_scale: float) -> None:
    """Each latent that was drawn step by step is drawn again from the states of a whole pass."""
    kind = "flow" if schedule == "flow_matching" else "v_prediction"
    diffusion = DiffusionConfig.model_validate(
        {"schedule": {"kind": schedule}, "prediction_type": kind}
    )
    model = make("lm", diffusion=diffusion)
    assert isinstance(model, ImageLM)
    labels = torch.tensor([0, 2])
    generators = [make_generator(3, "image", number) for number in range(2)]
    sampling = ImageSampling(num_steps=4, cfg_scale=cfg_scale)
    drawn = model.sample(labels, generators, sampling).clone()
    generators = [make_generator(3, "image", number) for number in range(2)]
    noise = torch.stack(
        [torch.randn(64, SPACE.latent_dim, generator=g)[:COUNT] for g in generators]
    )
    with torch.no_grad():
        cond, uncond = (
            states(model, drawn, each).flatten(0, 1)
            for each in (labels, torch.full_like(labels, SPACE.null_class))
        )
    again = model.lm.diffusion(IMAGE).sample(
        cond, noise.flatten(0, 1), uncond, LatentSampling(num_steps=4, cfg_scale=cfg_scale)
    )
    expected = model.normalizer.denormalize(again).view_as(drawn)
    torch.testing.assert_close(drawn, expected.to(drawn), rtol=1e-5, atol=1e-5)


def test_all_latents_are_targets_and_no_token_is(model: ImageLM) -> None:
    batch = model.mixed_batch(batch_of("lm"))
    loss = latent_lm_loss(model.lm, batch, make_generator(0, "loss"))
    assert loss.num_latents == (4 * COUNT,)
    assert loss.num_tokens == 0
    assert float(loss.token) == 0
    assert float(loss.total) == float(loss.diffusion[0])
    assert batch.token_ids[:, 0].tolist() == [0, 1, 2, 3]
    assert batch.token_ids[:, 1].tolist() == [4] * 4
