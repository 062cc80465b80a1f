"""The loudness loss: what PESQ measures, with a gradient."""

import numpy as np
import pytest
import torch
from pesq import pesq
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.codec.losses.loudness_loss import LoudnessLoss
from tests.real_recordings import SAMPLE_RATE, real_recordings


def noisy(audio: Tensor, level: float, seed: int = 0) -> Tensor:
    noise = torch.randn(audio.shape, generator=torch.Generator().manual_seed(seed))
    return audio + level * audio.std() * noise


def quality(loss: LoudnessLoss, copy: Tensor, audio: Tensor) -> float:
    """P.862.2's mapping of the loss to MOS-LQO."""
    raw = 4.5 - float(loss(copy[None], audio[None]))
    return 0.999 + 4 / (1 + np.exp(-1.3669 * raw + 3.8224))


def test_it_agrees_with_pesq_on_recordings_of_a_person() -> None:
    loss = LoudnessLoss(24000)
    ours, theirs = [], []
    for recording in real_recordings(6):
        audio = resample(recording.audio[None], SAMPLE_RATE, 24000)[0]
        copies = [noisy(audio, level) for level in (0.003, 0.01, 0.03, 0.1, 0.3)]
        copies.append((audio * 30).round() / 30)
        for copy in copies:
            sides = (resample(side[None], 24000, 16000)[0].numpy() for side in (audio, copy))
            theirs.append(pesq(16000, *sides, "wb"))
            ours.append(quality(loss, copy, audio))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97
    assert np.abs(np.subtract(ours, theirs)).mean() < 0.2


def test_equal_audio_costs_nothing_and_level_does_not_count() -> None:
    loss = LoudnessLoss(24000)
    audio = resample(real_recordings(1)[0].audio[None], SAMPLE_RATE, 24000)
    assert float(loss(audio, audio)) < 0.01
    worse = noisy(audio, 0.1)
    torch.testing.assert_close(loss(0.3 * worse, audio), loss(worse, audio), rtol=1e-3, atol=0)


def test_it_does_not_depend_on_the_rate() -> None:
    audio = real_recordings(1)[0].audio[None]
    worse = noisy(audio, 0.1)
    low = LoudnessLoss(16000)(worse, audio)
    sides = (resample(side, 16000, 48000) for side in (worse, audio))
    torch.testing.assert_close(LoudnessLoss(48000)(*sides), low, rtol=0.05, atol=0)


def test_following_the_gradient_makes_pesq_better() -> None:
    loss = LoudnessLoss(16000)
    audio = real_recordings(1)[0].audio[None]
    copy = noisy(audio, 0.03).requires_grad_()
    before = pesq(16000, audio[0].numpy(), copy[0].detach().numpy(), "wb")
    optimizer = torch.optim.Adam([copy], lr=2e-4)
    for _ in range(30):
        optimizer.zero_grad()
        loss(copy, audio).backward()
        optimizer.step()
    assert pesq(16000, audio[0].numpy(), copy[0].detach().numpy(), "wb") > before + 0.2


def test_silent_rows_take_no_part() -> None:
    loss = LoudnessLoss(24000)
    audio = resample(real_recordings(1)[0].audio[None, :32000], SAMPLE_RATE, 24000)
    worse = noisy(audio, 0.1)
    both = loss(torch.cat([worse, worse]), torch.cat([audio, torch.zeros_like(audio)]))
    torch.testing.assert_close(both, loss(worse, audio))
    silent = torch.zeros_like(audio).requires_grad_()
    nothing = loss(silent, torch.zeros_like(audio))
    nothing.backward()
    assert nothing == 0
    assert silent.grad is not None
    assert not silent.grad.any()


def test_a_silent_copy_has_a_finite_gradient() -> None:
    audio = resample(real_recordings(1)[0].audio[None], SAMPLE_RATE, 24000)
    silent = torch.zeros_like(audio).requires_grad_()
    LoudnessLoss(24000)(silent, audio).backward()
    assert silent.grad is not None
    assert silent.grad.isfinite().all()


@pytest.mark.parametrize("shapes", [((1, 4000), (1, 4000)), ((1, 24000), (1, 23999))])
def test_too_short_or_unequal_audio_is_refused(shapes: tuple[tuple[int, int], ...]) -> None:
    estimate, reference = (torch.randn(shape) for shape in shapes)
    with pytest.raises(ValueError, match="expected equal shapes"):
        LoudnessLoss(24000)(estimate, reference)
