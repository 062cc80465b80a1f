"""Metrics on a person's recordings: they equal their packages, and added noise makes them worse.

Two recordings, two kinds of noise, at 20, 10 and 0 dB. The corpus value of every quality metric
gets strictly worse from step to step; so does every single utterance's, but for the metrics of
NOT_EACH, whose reasons stand there.
"""

import functools
import itertools

import pytest
import torch

from latentspeech.audio.io import resample
from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.eval.metrics.catalogue import METRICS, make_scorer
from tests.contracts.test_metrics import SIGNAL_METRICS
from tests.real_recordings import (
    SAMPLE_RATE,
    real_recordings,
    speech_shaped_noise,
    white_noise,
)

NUM_RECORDINGS = 2
NOISES = {"white": white_noise, "speech-shaped": speech_shaped_noise}
STEPS_DB = (20, 10, 0)
# These take seconds a recording, so they hear white noise alone.
COSTLY = ("dnsmos", "distillmos", "f0", "visqol-audio", "wer-w")
# Metrics that score one pair with the same work go together: pitch is tracked once for both.
GROUPS = [(name,) for name in SIGNAL_METRICS if name not in ("f0", "voicing")]
GROUPS += [("f0", "voicing"), ("sim-ge2e",), ("sim-campplus",), ("wer-w",)]
# Their weights come in no package; everything else has to be there.
NEED_WEIGHTS = ("utmos",)
NOT_EACH = {
    "visqol-lattice": "see AT_FLOOR",
    "f0": "in loud noise only the clearest frames stay voiced, and those are right",
    "voicing": "a frame may be lost at one level and the same number added at another",
    "wer-w": "errors are whole words",
}
# Noise at 10 dB hardly disturbs Whisper: on these few words it makes as many errors as at 20 dB,
# give or take one. At 0 dB it makes three times as many.
DEAF_TO_10_DB = ("wer-w",)
# Noise at 20 dB already brings this mapping near its floor of 1, and what is left says nothing.
AT_FLOOR = ("visqol-lattice",)
# In loud noise a recording may keep no voiced frame, and has no pitch to compare then.
MAY_BE_UNDEFINED = ("f0",)
# Where a copy has no value, or noise at 20 dB is not heard: compared from 20 dB on.
NO_CLEAN_VALUE = ("si-sdr", "wer-w")

pytestmark = pytest.mark.slow


@functools.cache
def recordings():
    return real_recordings(NUM_RECORDINGS)


def prepared(name):
    scorer = make_scorer(name)
    try:
        scorer.prepare()
    except MetricUnavailable as error:
        if name not in NEED_WEIGHTS:
            raise
        pytest.skip(str(error))
    return scorer


def scores_by_level(scorers, add_noise):
    """{name: {level: scores}}; the level None is the recording itself."""
    found = {name: {} for name in scorers}
    for seed, recording in enumerate(recordings()):
        for level in (None, *STEPS_DB):
            clean = recording.audio
            tested = clean if level is None else add_noise(clean, level, seed)
            for name, scorer in scorers.items():
                if level is None and name in NO_CLEAN_VALUE:
                    continue
                reference = None if scorer.held_against == "nothing" else clean
                scores = found[name].setdefault(level, [])
                try:
                    scores.append(scorer.score(reference, tested, SAMPLE_RATE, recording.text))
                except InputError:
                    if name not in MAY_BE_UNDEFINED:
                        raise
    return found


@pytest.mark.parametrize(
    ("group", "noise"),
    [(g, noise) for g in GROUPS for noise in NOISES if noise == "white" or g[0] not in COSTLY],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_noise_makes_it_worse(group, noise):
    scorers = {name: prepared(name) for name in group}
    for name, levels in scores_by_level(scorers, NOISES[noise]).items():
        scorer = scorers[name]
        sign = 1 if scorer.higher_is_better else -1
        corpus = [sign * scorer.aggregate(scores) for scores in levels.values()]
        steps = list(itertools.pairwise(corpus))
        if name in DEAF_TO_10_DB:
            assert 2 * min(corpus[:-1]) > corpus[-1], (name, corpus)
        elif name in AT_FLOOR:
            assert corpus[0] > max(corpus[1:]), (name, corpus)
        else:
            assert all(a > b for a, b in steps), (name, corpus)
        if name in NOT_EACH:
            continue
        for recording, scores in zip(recordings(), zip(*levels.values(), strict=True)):  # noqa: B905
            values = [sign * score.value for score in scores]
            ordered = all(a > b for a, b in itertools.pairwise(values))
            assert ordered, (name, recording.name, values)


def test_every_metric_of_quality_is_here():
    speed = {"rtf", "ttfa"}
    tested = {name for group in GROUPS for name in group}
    left_out = set(METRICS) - tested - speed
    # The rest are SIM and WER models whose weights come in no package, and Whisper base, whose
    # errors are whole words as those of Whisper tiny are.
    assert {name.split("-")[0] for name in left_out} <= {"sim", "wer"}


@pytest.mark.parametrize("level", STEPS_DB)
def test_each_equals_its_package(level):
    from pesq import pesq
    from pystoi import stoi
    from speechmos import dnsmos
    from visqol import VisqolApi

    visqol = VisqolApi()
    visqol.create(mode="speech", use_lattice_model=False)
    visqol_audio = VisqolApi()
    visqol_audio.create(mode="audio")
    for seed, recording in enumerate(recordings()[:1]):
        clean = recording.audio
        tested = white_noise(clean, level, seed)
        x, y = clean.numpy(), tested.numpy()
        wide = [resample(a, SAMPLE_RATE, 48000).double().numpy() for a in (clean, tested)]
        within = tested.clamp(-1, 1)
        expected = {
            "pesq": pesq(SAMPLE_RATE, x, y, "wb"),
            "stoi": stoi(x.astype("float64"), y.astype("float64"), SAMPLE_RATE),
            "visqol": visqol.measure_from_arrays(x, y, SAMPLE_RATE).moslqo,
            "visqol-audio": visqol_audio.measure_from_arrays(*wide, 48000).moslqo,
            "dnsmos": dnsmos.run(within.numpy(), SAMPLE_RATE)["ovrl_mos"],
        }
        for name, value in expected.items():
            scorer = prepared(name)
            reference = None if scorer.held_against == "nothing" else clean
            score = scorer.score(reference, tested, SAMPLE_RATE, None)
            assert score.value == pytest.approx(value, abs=1e-6), name


def test_a_copy_of_a_recording_is_perfect():
    recording = recordings()[0].audio
    perfect = {"mel": 0.0, "pesq": 4.644, "stoi": 1.0, "visqol": 5.0, "f0": 0.0, "voicing": 0.0}
    for name, value in perfect.items():
        score = prepared(name).score(recording, recording.clone(), SAMPLE_RATE, None)
        assert score.value == pytest.approx(value, abs=1e-3)
    with pytest.raises(InputError, match="infinite"):
        prepared("si-sdr").score(recording, 0.5 * recording, SAMPLE_RATE, None)
    assert torch.equal(recording, recordings()[0].audio)
