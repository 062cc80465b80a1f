"""The softmax over codes: its order, its restriction to codes, and its loss."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from latentspeech.core.tensors import make_generator
from latentvision.generation.generator import ImageSampling
from latentvision.generation.space import ImageBatch
from latentvision.generation.study.vq_lm import VQLM
from tests.tiny_generators import CODES, batch_of, make

COUNT = CODES.num_latents
NUM_CODES = 7


@pytest.fixture
def model() -> VQLM:
    found = make("vq")
    assert isinstance(found, VQLM)
    return found


def logits(model: VQLM, codes: Tensor, labels: Tensor) -> Tensor:
    """Logits (B, N, V + classes) of the codes (B, N)."""
    batch = model.mixed_batch(ImageBatch(codes[..., None].float(), labels))
    with torch.no_grad():
        return model.lm.token_logits(model.lm(batch))[:, :-1]


def test_a_code_is_predicted_from_the_codes_before_it_alone(model: VQLM) -> None:
    batch = batch_of("vq")
    codes = batch.latents[..., 0].long()
    first = logits(model, codes, batch.labels)
    for place in range(COUNT):
        changed = codes.clone()
        changed[:, place] = (changed[:, place] + 1) % NUM_CODES
        moved = (logits(model, changed, batch.labels) - first).abs().amax(dim=(0, 2)) > 0
        assert moved.tolist() == [other > place for other in range(COUNT)]


def test_the_loss_is_the_cross_entropy_of_the_codes(model: VQLM) -> None:
    batch = batch_of("vq")
    codes = batch.latents[..., 0].long()
    expected = functional.cross_entropy(
        logits(model, codes, batch.labels).flatten(0, 1).float(), codes.flatten()
    )
    torch.testing.assert_close(model.loss(batch, make_generator(0, "x")).detach(), expected)


@pytest.mark.parametrize("cfg_scale", [1.0, 2.5])
def test_greedy_steps_equal_the_whole_sequence(model: VQLM, cfg_scale: float) -> None:
    labels = torch.tensor([0, 1, 2])
    generators = [make_generator(0, "image", number) for number in range(3)]
    sampling = ImageSampling(temperature=0.0, cfg_scale=cfg_scale)
    codes = model.sample(labels, generators, sampling)[..., 0].long().clone()
    cond = logits(model, codes, labels)
    uncond = logits(model, codes, torch.full_like(labels, CODES.null_class))
    guided = (uncond + cfg_scale * (cond - uncond))[..., :NUM_CODES]
    assert torch.equal(codes, guided.argmax(dim=-1))


def test_only_codes_are_drawn(model: VQLM) -> None:
    """Even if the model prefers classes."""
    with torch.no_grad():
        model.lm.token_head.weight[NUM_CODES:] = 100 * model.lm.token_head.weight[NUM_CODES:]
    generators = [make_generator(0, "image", number) for number in range(4)]
    codes = model.sample(torch.tensor([0, 1, 2, 3]), generators, ImageSampling())
    assert set(codes.flatten().tolist()) <= set(range(NUM_CODES))
    assert len(codes.unique()) > 3
