from dataclasses import replace

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import InputError
from latentspeech.eval.metrics.speed import RealTimeFactor, TimeToFirstAudio
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.pair import EvalPair


@pytest.fixture
def pairs(tmp_path):
    made = []
    for number, (audio_s, compute_s) in enumerate([(1.0, 0.5), (3.0, 0.5), (4.0, 1.0)]):
        path = tmp_path / f"{number}.wav"
        write_audio(path, torch.zeros(int(24000 * audio_s)), 24000)
        made.append(EvalPair(str(number), path, compute_s=compute_s, first_audio_s=0.1 * number))
    return made


def test_the_real_time_factor_of_a_corpus_is_total_over_total(pairs):
    report = evaluate(pairs, [RealTimeFactor()])
    values = [row.scores["RTF"].value for row in report.items]
    assert values == pytest.approx([0.5, 1 / 6, 0.25])
    assert report.metrics[0].value == pytest.approx(2.0 / 8.0)
    assert report.metrics[0].interval[0] < 0.25 < report.metrics[0].interval[1]
    assert report.run["hardware"]


def test_a_given_prefix_was_not_computed(pairs):
    given = [replace(pair, prefix_s=0.5) for pair in pairs[:1]]
    report = evaluate(given, [RealTimeFactor()])
    assert report.metrics[0].value == pytest.approx(0.5 / 0.5)
    all_given = [replace(pairs[0], prefix_s=1.0)]
    assert "found 0.000 s" in evaluate(all_given, [RealTimeFactor()]).failures[0].reason


def test_time_to_first_audio_is_in_milliseconds_and_zero_is_no_time(pairs):
    report = evaluate(pairs, [TimeToFirstAudio()])
    assert [row.scores["TTFA"].value for row in report.items[1:]] == pytest.approx([100, 200])
    assert report.metrics[0].value == pytest.approx(150)
    assert "first_audio_s is 0.0" in report.failures[0].reason


def test_missing_times_are_named(pairs):
    bare = replace(pairs[0], compute_s=None)
    failure = evaluate([bare], [RealTimeFactor()]).failures[0]
    assert "needs compute_s" in failure.reason
    with pytest.raises(InputError, match="not from audio"):
        RealTimeFactor().score(None, torch.zeros(10), 16000)
    with pytest.raises(InputError, match="no scores"):
        RealTimeFactor().aggregate([])
