"""What is taken for speech, and what is not."""

import numpy as np
import pytest

from latentspeech.audio.speech.speech_check import check_speech, holds_speech
from latentspeech.core.errors import InputError
from tests.real_recordings import SAMPLE_RATE, real_music, real_recordings
from tests.tiny_models import voice_like

RATE = 24_000
TIME = np.arange(4 * RATE) / RATE
NOISE = np.random.default_rng(0).normal(0, 0.1, len(TIME)).astype(np.float32)
TONE = (0.5 * np.sin(2 * np.pi * 150 * TIME)).astype(np.float32)


def test_what_is_voiced_and_moves_may_be_speech() -> None:
    speech = voice_like(4.0).numpy()
    assert holds_speech(speech, RATE)
    assert holds_speech(speech + 0.1 * NOISE, RATE)
    for useless in (NOISE, TONE, np.zeros_like(NOISE), NOISE[:3], 1e-4 * speech):
        assert not holds_speech(useless, RATE)


def test_prompts_that_are_no_speech_are_refused_with_a_reason() -> None:
    check_speech(voice_like(4.0).numpy(), RATE, "ref.wav")
    with pytest.raises(InputError, match=r"ref\.wav does not sound like speech \(0\.00 s of it"):
        check_speech(NOISE, RATE, "ref.wav")
    # A held chord that wavers: voiced, its pitch moves, but no syllables.
    glide = 300 * TIME + 20 * np.sin(2 * np.pi * 0.5 * TIME)
    chord = sum(0.1 * np.sin(2 * np.pi * ratio * glide) for ratio in (1.0, 1.25, 1.5))
    with pytest.raises(InputError, match="in the rhythm of syllables"):
        check_speech(chord.astype(np.float32), RATE, "ref.wav")
    check_speech(chord[:RATE].astype(np.float32), RATE, "ref.wav")  # too short to have a rhythm


@pytest.mark.slow
def test_real_speech_passes_and_real_music_does_not() -> None:
    for recording in real_recordings(20):
        speech = recording.audio.numpy()
        check_speech(speech, SAMPLE_RATE, recording.name)
        noise = np.random.default_rng(1).standard_normal(len(speech)).astype(np.float32)
        noise *= 10 ** (-15 / 20) * speech.std()
        check_speech(speech + noise, SAMPLE_RATE, recording.name)
    with pytest.raises(InputError, match="noise or music"):
        check_speech(real_music(8.0).numpy(), SAMPLE_RATE, "music")
