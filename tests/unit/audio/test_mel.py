import numpy as np
import pytest
import torch

from latentspeech.audio.mel import (
    DAC_MEL_SCALES,
    MelBank,
    MelScale,
    mel_filterbank,
    split_frames,
)
from tests.reference.log_mel import multi_scale_log_mel

librosa = pytest.importorskip("librosa")


@pytest.mark.parametrize("scale", DAC_MEL_SCALES)
def test_filters_equal_librosa(scale: MelScale) -> None:
    filters = mel_filterbank(24000, scale)
    expected = librosa.filters.mel(sr=24000, n_fft=scale.window_length, n_mels=scale.num_mels)
    assert filters.numpy() == pytest.approx(expected.T, abs=2e-5 * float(expected.max()))
    # No filter is empty, and the outer bins are unused: the mel loss's backward relies on it.
    assert filters.sum(dim=0).min() > 0
    assert filters[0].abs().max() == 0
    assert filters[-1].abs().max() < 1e-7 * filters.max()


@pytest.mark.parametrize("num_samples", [4800, 4801, 5000])
def test_log_mel_equals_librosa_at_every_scale(num_samples: int) -> None:
    audio = 0.1 * torch.randn(2, num_samples)
    features = multi_scale_log_mel(audio, 24000)
    for scale, feature in zip(DAC_MEL_SCALES, features, strict=True):
        expected = librosa.feature.melspectrogram(
            y=audio.numpy(),
            sr=24000,
            n_fft=scale.window_length,
            hop_length=scale.window_length // 4,
            n_mels=scale.num_mels,
            power=1.0,
            center=True,
            pad_mode="reflect",
        )
        expected = np.log10(np.maximum(expected, 1e-5)).transpose(0, 2, 1)
        assert feature.shape == expected.shape
        assert feature.numpy() == pytest.approx(expected, abs=2e-4)


def test_banded_products_equal_the_whole_matrix() -> None:
    bank = MelBank(MelScale(1024, 160), 24000)
    magnitude = torch.rand(3, 513)
    filters = mel_filterbank(24000, bank.scale)
    torch.testing.assert_close(bank.mels(magnitude), magnitude @ filters)
    slope = torch.randn(3, 160)
    torch.testing.assert_close(bank.mels_transposed(slope), slope @ filters.T)


def test_silence_is_the_floor() -> None:
    for feature in multi_scale_log_mel(torch.zeros(1, 4800), 24000):
        assert torch.all(feature == -5)


def test_frames_match_unfold() -> None:
    audio = torch.randn(2, 1003)
    padded = torch.nn.functional.pad(audio[:, None], (32, 32), mode="reflect")[:, 0]
    assert torch.equal(split_frames(audio, 64), padded.unfold(1, 64, 16))


def test_too_short_audio_says_so() -> None:
    with pytest.raises(ValueError, match="1024 samples; expected more than 1024"):
        multi_scale_log_mel(torch.zeros(1, 1024), 24000)
    with pytest.raises(ValueError, match="shape"):
        multi_scale_log_mel(torch.zeros(4800), 24000)


def test_filters_stay_out_of_checkpoints() -> None:
    assert MelBank(MelScale(64, 10), 24000).state_dict() == {}
