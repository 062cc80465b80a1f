"""Pitch and voicing errors where they are known: synthetic vowels, and speech that was shifted."""

import pytest
import torch

from latentspeech.core.errors import InputError
from latentspeech.eval.metrics import pitch
from latentspeech.eval.metrics.pitch import LogF0Error, VoicingError, track_pitch

librosa = pytest.importorskip("librosa")
RATE = 16000


def vowel(pitch_hz, duration_s=0.6):
    """Harmonics through the formants of [a], (T,) at 16 kHz."""
    time_s = torch.arange(int(duration_s * RATE)) / RATE
    audio = torch.zeros_like(time_s)
    for number in range(1, int(7000 / pitch_hz)):
        frequency = number * pitch_hz
        gain = sum(1 / (1 + ((frequency - f) / 90) ** 2) for f in (730, 1090, 2440)) + 0.05
        audio += gain * torch.sin(2 * torch.pi * frequency * time_s)
    return 0.1 * audio


@pytest.mark.parametrize("pitch_hz", [90.0, 141.0, 220.0, 333.0])
def test_the_pitch_of_a_vowel_is_found(pitch_hz):
    track = track_pitch(vowel(pitch_hz))
    inner = slice(5, -5)  # frames at the ends hear silence too
    assert track.voiced[inner].all()
    # 5 cents of quantisation.
    assert track.pitch_hz[inner] == pytest.approx(pitch_hz, rel=0.004)


@pytest.mark.parametrize("semitones", [-3.0, 1.0, 5.0])
def test_a_vowel_of_another_pitch_is_off_by_the_known_cents(semitones):
    other = vowel(150.0 * 2 ** (semitones / 12))
    score = LogF0Error().score(vowel(150.0), other, RATE, None)
    assert score.value == pytest.approx(abs(100 * semitones), abs=11)
    assert score.details["median_cents"] == pytest.approx(100 * semitones, abs=11)
    assert LogF0Error().unit == "cents"


@pytest.mark.parametrize("semitones", [2.0, -2.0])
def test_speech_that_was_shifted_is_off_by_the_shift(speech, semitones):
    shifted = librosa.effects.pitch_shift(speech.numpy(), sr=24000, n_steps=semitones)
    score = LogF0Error().score(speech, torch.from_numpy(shifted), 24000, None)
    assert score.details["median_cents"] == pytest.approx(100 * semitones, abs=15)
    assert score.details["num_frames"] > 100
    same = LogF0Error().score(speech, speech, 24000, None)
    assert same.value == 0.0


def test_voicing_error_counts_what_was_lost_and_added():
    silence = torch.zeros(RATE // 2)
    clean = torch.cat([vowel(150.0, 1.0), silence])
    score = VoicingError().score(clean, clean, RATE, None)
    assert score.value == 0.0
    lost = torch.cat([vowel(150.0, 0.5), torch.zeros(RATE)])
    score = VoicingError().score(clean, lost, RATE, None)
    assert score.value == pytest.approx(100 * 0.5 / 1.5, abs=4)
    assert score.details["num_lost"] > 40
    assert score.details["num_added"] <= 2
    added = VoicingError().score(lost, clean, RATE, None)
    assert added.value == pytest.approx(score.value)
    nothing = VoicingError().score(clean, torch.zeros_like(clean), RATE, None)
    assert nothing.value == pytest.approx(100 * 1.0 / 1.5, abs=4)


def test_what_is_voiced_nowhere_has_no_pitch_error(speech):
    with pytest.raises(InputError, match="no frame is voiced in both"):
        LogF0Error().score(speech, torch.zeros_like(speech), 24000, None)
    hiss = 0.1 * torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    for scorer in (LogF0Error(), VoicingError()):
        with pytest.raises(InputError, match="no voiced frame"):
            scorer.score(hiss, hiss, RATE, None)


def test_long_audio_in_blocks_has_the_same_frames(monkeypatch):
    audio = torch.cat([vowel(150.0), torch.zeros(3205), vowel(200.0)])
    whole = pitch._track(audio.numpy())
    monkeypatch.setattr(pitch, "_BLOCK_SAMPLES", 160 * 37)
    blocks = pitch._track(audio.numpy())
    assert len(blocks.voiced) == len(whole.voiced) == 1 + len(audio) // 160
    assert (blocks.voiced != whole.voiced).mean() < 0.1


def test_both_metrics_share_one_tracking(monkeypatch, speech, noisy):
    calls = []
    track = pitch._track
    monkeypatch.setattr(pitch, "_track", lambda samples: calls.append(1) or track(samples))
    clean, tested = speech[:36000], noisy(speech)[:36000]
    LogF0Error().score(clean, tested, 24000, None)
    VoicingError().score(clean, tested, 24000, None)
    assert len(calls) == 2
