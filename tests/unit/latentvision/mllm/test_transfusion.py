"""Transfusion: noised pictures as blocks, their times, and what may see what."""

import pytest
import torch

from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.mixed_batch import MixedBatch
from latentvision.mllm.models.transfusion import Transfusion, TransfusionConfig
from latentvision.mllm.sequence import PageSequences
from tests.tiny_page_models import model_of
from tests.unit.latentvision.mllm.test_page_models import batch_of, page


@pytest.fixture
def model(sequences: PageSequences) -> Transfusion:
    found = model_of("transfusion", sequences)
    assert isinstance(found, Transfusion)
    return found


def batch(model: Transfusion, sequences: PageSequences, *plans: str) -> MixedBatch:
    return batch_of(model, [page(sequences, plan) for plan in plans])


def test_who_sees_whom(model: Transfusion, sequences: PageSequences) -> None:
    """By gradient: text sees what is before it, a latent its whole picture, and none the next."""
    rows = batch(model, sequences, "tptPt")
    noisy = torch.randn(2, 16, 5, dtype=torch.float64, requires_grad=True)
    x, block_ids = model._inputs(rows, noisy, torch.tensor([0.3, 0.6]))
    hidden = model.lm.backbone(x, rows.segment_ids, block_ids)[0]
    place = (rows.kinds[0] == 1).nonzero().flatten().tolist()

    def seen(at: int) -> list[int]:
        """The latents on which the state at a place depends."""
        (gradient,) = torch.autograd.grad(hidden[at].sum(), noisy, retain_graph=True)
        return gradient.abs().sum(dim=2).flatten().nonzero().flatten().tolist()

    first, both = list(range(16)), list(range(32))
    assert seen(place[0] - 1) == []
    for at in (place[0], place[7], place[15], place[15] + 1, place[16] - 1):
        assert seen(at) == first
    for at in (place[16], place[31], len(hidden) - 1):
        assert seen(at) == both


@pytest.mark.parametrize("time", [0.5, 1.0])
def test_the_prediction_sees_the_picture_through_its_noise_alone(
    model: Transfusion, sequences: PageSequences, time: float
) -> None:
    """The clean latents are the target: they weigh alpha(t) of the input, nothing at t = 1."""
    rows = batch(model, sequences, "tp")
    t = torch.tensor([time])
    x0 = torch.randn(1, 16, 5, dtype=torch.float64, requires_grad=True)
    x_t = model.process.noised(x0, torch.randn(1, 16, 5), t).x_t
    x, block_ids = model._inputs(rows, x_t, t)
    prediction = model.predict(model.lm.backbone(x, None, block_ids)[rows.kinds == 1][None])
    of_clean, of_noisy = torch.autograd.grad(prediction.sum(), (x0, x_t))
    alpha = float(model.process.schedule.alpha_sigma(t)[0])
    torch.testing.assert_close(of_clean, alpha * of_noisy)
    assert alpha < 1e-3 if time == 1 else alpha > 0.5


def test_which_pictures_are_read(model: Transfusion, sequences: PageSequences) -> None:
    """Those before all text of their page, if there is any; packed pages do not count."""
    plans = {"tp": [False], "p": [False], "pt": [True], "pPqa": [True] * 2, "ptPt": [True, False]}
    for plan, expected in plans.items():
        assert model.is_read(batch(model, sequences, plan)).tolist() == expected
    rows = batch(model, sequences, *plans)
    assert len(rows.kinds) == 1
    read = model.is_read(rows)
    assert int(read.sum()) == 4
    times = model.times(rows, torch.Generator().manual_seed(0))
    free = model.process.sample_times((7,), torch.Generator().manual_seed(0))
    torch.testing.assert_close(times[~read], free[~read])
    torch.testing.assert_close(times[read], free[read] / 2, rtol=0, atol=1e-3)


def test_the_loss_counts_text_and_pictures(model: Transfusion, sequences: PageSequences) -> None:
    rows = batch(model, sequences, "pqa", "tp")
    generator = torch.Generator().manual_seed(0)
    loss = model.loss(rows, generator)
    counts = model.counts(rows)
    encode = sequences.tokenizer.encode
    assert int(counts["token"]) == 2 + len(encode("a mat")) + len(encode("the cat")) + 2
    assert int(counts["picture"]) == 2
    assert loss.metrics["token"].num_elements == int(counts["token"])
    torch.testing.assert_close(loss.parts["picture"], 5 * loss.metrics["picture"].value)
    # Both pages are as dear alone: a picture's time and noise are its own.
    text_only = batch(model, sequences, "t")
    alone = model.loss(text_only, generator)
    assert float(alone.parts["picture"].detach()) == 0
    torch.stack([*alone.parts.values()]).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_twin_of_reading_needs_noise(model: Transfusion, sequences: PageSequences) -> None:
    """What the text after a picture costs depends on t, which LatentLM's does not."""
    rows = batch(model, sequences, "pqa")
    costs = set()
    for seed in range(3):
        loss = model.loss(rows, torch.Generator().manual_seed(seed))
        costs.add(float(loss.metrics["token"].value))
    assert len(costs) == 3


def test_one_draw_a_picture() -> None:
    with pytest.raises(ConfigError, match="num_noise_draws is 4; expected 1"):
        parse_config(TransfusionConfig, {"diffusion": {"loss": {"num_noise_draws": 4}}})
