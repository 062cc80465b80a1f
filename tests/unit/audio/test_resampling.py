"""Resampling without torch gives what resampling with it gives."""

import numpy as np
import pytest
import torch

from latentspeech.audio.io import resample
from latentspeech.audio.resampling import resample_array


@pytest.mark.parametrize("from_rate", [8000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_it_equals_the_filter_in_torch(from_rate: int) -> None:
    """More than one block of frames; lengths that are no multiple of the ratio."""
    audio = np.random.default_rng(0).standard_normal(50_001).astype(np.float32)
    expected = resample(torch.from_numpy(audio), from_rate, 24_000).numpy()
    np.testing.assert_allclose(resample_array(audio, from_rate, 24_000), expected, atol=1e-4)


def test_short_and_empty_audio() -> None:
    assert len(resample_array(np.zeros(0, dtype=np.float32), 48_000, 24_000)) == 0
    assert len(resample_array(np.ones(1, dtype=np.float32), 8000, 24_000)) == 3
