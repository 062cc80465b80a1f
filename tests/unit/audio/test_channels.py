"""Which channel of a recording is heard."""

from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from latentspeech.audio.io import load_audio
from tests.tiny_models import voice_like

RATE = 24_000
SPEECH = voice_like(1.5)
NOISE = 1e-3 * torch.randn(6, len(SPEECH), generator=torch.Generator().manual_seed(3))


def heard(path: Path, *channels: Tensor) -> Tensor:
    soundfile.write(path, torch.stack(channels, dim=1).numpy(), RATE, subtype="FLOAT")
    return load_audio(path, RATE)


@pytest.mark.parametrize(
    ("left", "right"), [(1.0, 1.0), (0.9, 1.1), (1.5, 0.5), (1.0, 0.2), (0.2, 1.0)]
)
def test_ordinary_stereo_is_averaged(left: float, right: float, tmp_path: Path) -> None:
    channels = left * SPEECH + NOISE[0], right * SPEECH.roll(2) + NOISE[1]
    found = heard(tmp_path / "a.wav", *channels)
    assert torch.equal(found, torch.stack(channels, dim=1).mean(dim=1))


def test_two_people_in_two_channels_are_both_heard(tmp_path: Path) -> None:
    channels = voice_like(1.5, seed=1), voice_like(1.5, seed=2).roll(RATE // 8)
    found = heard(tmp_path / "a.wav", *channels)
    assert torch.equal(found, torch.stack(channels, dim=1).mean(dim=1))


@pytest.mark.parametrize("inverse", [-1.0, -0.9, -0.5])
def test_an_inverted_channel_does_not_cancel_the_other(inverse: float, tmp_path: Path) -> None:
    assert torch.equal(heard(tmp_path / "a.wav", SPEECH, inverse * SPEECH), SPEECH)


@pytest.mark.parametrize("number", [0, 2, 5])
@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_one_channel_of_six_is_found(
    number: int, offset: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An offset in a silent channel is no sound."""
    channels = list(NOISE + offset)
    channels[number] = SPEECH
    assert torch.equal(heard(tmp_path / "a.wav", *channels), SPEECH)
    assert f"only channel {number + 1} of 6" in caplog.text


def test_silence_and_bad_samples_stay_what_they_are(tmp_path: Path) -> None:
    silence = torch.zeros(100)
    assert torch.equal(heard(tmp_path / "a.wav", silence, silence), silence)
    with pytest.raises(ValueError, match="NaN"):
        heard(tmp_path / "b.wav", SPEECH, SPEECH.clone().fill_(torch.nan))
