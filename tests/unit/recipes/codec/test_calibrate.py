"""The calibration of judges: who is compared with whom, and how loud the noise is."""

import pytest
import torch

from latentspeech.core.errors import DataError, InputError
from latentspeech.core.eval.scorer import Score
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from recipes.codec.calibrate import NOISE_DB, Comparison, Voice, cell, comparisons, noisy_voice


class Level(AudioScorer):
    """The RMS of what it judges; refuses silence."""

    name = "level"
    unit = ""
    higher_is_better = True

    def __init__(self, held_against="nothing"):
        self.held_against = held_against

    def describe(self):
        return {}

    def score(self, reference, hypothesis, sample_rate, transcript=None):
        assert (reference is None) == (self.held_against == "nothing")
        if not hypothesis.any():
            raise InputError("silent")
        return Score(float(hypothesis.square().mean().sqrt()), {})


def voices(speakers):
    generator = torch.Generator().manual_seed(0)
    return [Voice(torch.randn(4000, generator=generator), speaker, "") for speaker in speakers]


def test_the_pairs_are_of_one_person_of_two_and_of_a_recording_and_its_copy():
    recordings = voices("abcabca")
    copies = [voice._replace(audio=2 * voice.audio) for voice in recordings]
    alone, same, other, copied, *noisy = comparisons(recordings, copies, seed=0)
    assert all(judged is own for (judged, _), own in zip(alone.pairs, recordings, strict=True))
    assert not alone.compared
    assert len(same.pairs) == 4
    assert all(judged.speaker == against.speaker for judged, against in same.pairs)
    assert all(judged is not against for judged, against in same.pairs)
    assert len(other.pairs) == 7
    assert all(judged.speaker != against.speaker for judged, against in other.pairs)
    assert not other.alone
    assert not same.alone
    for (copy, own), voice in zip(copied.pairs, recordings, strict=True):
        assert own is voice
        assert torch.equal(copy.audio, 2 * voice.audio)
    assert len(noisy) == len(NOISE_DB)


def test_noise_has_the_stated_level_and_is_the_same_in_every_run():
    (voice,) = voices("a")
    noise = noisy_voice(voice, 10, 0, 3).audio - voice.audio
    ratio = 10 * torch.log10(voice.audio.square().mean() / noise.square().mean())
    assert float(ratio) == pytest.approx(10, abs=1e-3)
    assert torch.equal(noisy_voice(voice, 10, 0, 3).audio, noisy_voice(voice, 10, 0, 3).audio)
    assert not torch.equal(noisy_voice(voice, 10, 0, 3).audio, noisy_voice(voice, 10, 0, 4).audio)


@pytest.mark.parametrize("speakers", ["aaa", "abc"])
def test_too_few_speakers_or_recordings_are_an_error(speakers):
    recordings = voices(speakers)
    with pytest.raises(DataError, match="at least two speakers"):
        comparisons(recordings, recordings, seed=0)


def test_a_cell_has_the_mean_and_leaves_bad_audio_out():
    one, two, silent = (Voice(torch.full((8,), level), "a", "") for level in (1.0, 3.0, 0.0))
    pairs = [(one, two), (two, one), (silent, one)]
    row = Comparison("row", pairs, alone=True)
    assert cell(Level(), row, 24000) == "2.00 (1.10 to 2.90)"
    assert cell(Level(), row._replace(alone=False), 24000) == "-"
    assert cell(Level("reference"), row._replace(alone=False), 24000).startswith("2.00")
    assert cell(Level("reference"), row._replace(compared=False), 24000) == "-"
