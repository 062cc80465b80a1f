import json
from pathlib import Path

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.eval.mel_distance import MelDistance
from latentspeech.eval.report import EvalPair, bootstrap_interval, evaluate
from latentspeech.eval.scorer import Score, Scorer


class Peak(Scorer):
    """Largest sample; needs neither text nor reference."""

    name = "Peak"
    unit = "FS"
    higher_is_better = True

    def describe(self):
        return {"metric": self.name, "model": "none"}

    def score(self, reference, hypothesis, sample_rate, transcript=None):
        return Score(float(hypothesis.abs().max()), {"sample_rate": sample_rate})


class Broken(Peak):
    """Fails in the three ways a library can."""

    name = "Broken"

    def score(self, reference, hypothesis, sample_rate, transcript=None):
        if transcript == "crash":
            raise RuntimeError("inner failure")
        if transcript == "missing":
            raise ConfigError("run: pip install something")
        return Score(float("nan"))


@pytest.fixture
def pairs(tmp_path):
    made = []
    for index in range(4):
        generator = torch.Generator().manual_seed(index)
        audio = 0.1 * torch.randn(9600, generator=generator)
        original, tested = tmp_path / f"r{index}.wav", tmp_path / f"h{index}.flac"
        write_audio(original, audio, 24000)
        write_audio(tested, audio * 0.5, 24000)
        made.append(EvalPair(f"u{index}", tested, original, "hello", f"spk{index % 2}"))
    return made


def test_a_bad_file_is_named_and_does_not_end_the_run(tmp_path, pairs):
    (tmp_path / "bad.wav").write_bytes(b"not audio")
    bad = EvalPair("spoiled", tmp_path / "bad.wav", pairs[0].reference_path)
    gone = EvalPair("gone", pairs[0].hypothesis_path, tmp_path / "gone.wav")
    calls = []
    report = evaluate(
        [bad, *pairs, gone],
        [MelDistance(), Peak()],
        on_progress=lambda done, total: calls.append((done, total)),
    )
    mel, peak = report.metrics
    assert (mel.num_scored, mel.num_failed) == (4, 2)
    # A metric that needs no reference does not suffer from a missing one.
    assert (peak.num_scored, peak.num_failed) == (5, 1)
    assert {(f.id, f.metric) for f in report.failures} == {
        ("spoiled", "Mel"),
        ("spoiled", "Peak"),
        ("gone", "Mel"),
    }
    assert all("wav" in failure.reason for failure in report.failures)
    assert calls == [(n, 6) for n in range(1, 7)]


def test_values_intervals_and_speakers(pairs):
    report = evaluate(pairs, [Peak()], seed=3)
    result = report.metrics[0]
    values = [u["scores"]["Peak"]["value"] for u in report.utterances]
    assert result.value == pytest.approx(sum(values) / 4)
    low, high = result.interval
    assert min(values) <= low < result.value < high <= max(values)
    assert result.by_speaker["spk0"] == pytest.approx((values[0] + values[2]) / 2)
    assert evaluate(pairs, [Peak()], seed=3) == report
    # With few draws the seed shows.
    few = [evaluate(pairs, [Peak()], seed=s, num_resamples=5).metrics[0].interval for s in (3, 4)]
    assert few[0] != few[1]


def test_the_interval_agrees_with_the_normal_approximation():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(200, generator=generator, dtype=torch.float64)
    low, high = bootstrap_interval(Peak(), [Score(v) for v in values.tolist()])
    error = float(values.std()) / 200**0.5
    assert low == pytest.approx(float(values.mean()) - 1.96 * error, abs=0.25 * error)
    assert high == pytest.approx(float(values.mean()) + 1.96 * error, abs=0.25 * error)
    assert bootstrap_interval(Peak(), [Score(1.0)]) is None


def test_pairs_are_compared_at_the_rate_of_the_reference(tmp_path):
    time = torch.arange(48000) / 48000
    tone = 0.5 * torch.sin(2 * torch.pi * 440 * time)
    write_audio(tmp_path / "r.wav", tone[::2], 24000)
    write_audio(tmp_path / "h.wav", tone, 48000)
    pair = EvalPair("tone", tmp_path / "h.wav", tmp_path / "r.wav")
    report = evaluate([pair], [MelDistance(), Peak()])
    assert report.metrics[0].value < 1.0
    details = report.utterances[0]["scores"]
    assert details["Mel"]["details"]["duration_s"] == pytest.approx(1.0)
    assert details["Peak"]["details"]["sample_rate"] == 48000


def test_not_a_number_and_a_library_failure_are_failures_and_a_missing_package_ends_the_run(pairs):
    crash = EvalPair("crash", pairs[0].hypothesis_path, transcript="crash")
    report = evaluate([pairs[0], crash], [Broken()])
    assert report.metrics[0].value is None
    assert report.metrics[0].interval is None
    reasons = {failure.id: failure.reason for failure in report.failures}
    assert "nan" in reasons["u0"]
    assert reasons["crash"] == "RuntimeError: inner failure"
    missing = EvalPair("missing", pairs[0].hypothesis_path, transcript="missing")
    with pytest.raises(ConfigError, match="pip install"):
        evaluate([missing], [Broken()])


def test_arguments_that_cannot_work_are_refused(pairs):
    with pytest.raises(DataError, match="no utterances"):
        evaluate([], [Peak()])
    with pytest.raises(ConfigError, match="no metrics"):
        evaluate(pairs, [])
    with pytest.raises(DataError, match="'u1' occurs more than once"):
        evaluate([*pairs, pairs[1]], [Peak()])
    with pytest.raises(ConfigError, match="'Peak' occurs more than once"):
        evaluate(pairs, [Peak(), Peak()])
    with pytest.raises(ConfigError, match="num_resamples"):
        evaluate(pairs, [Peak()], num_resamples=0)


def test_the_files_hold_everything(tmp_path, pairs):
    bad = EvalPair("spoiled", Path(tmp_path / "no.wav"))
    report = evaluate([*pairs, bad], [MelDistance(), Peak()])
    report.write(tmp_path / "scores.json")
    stored = json.loads((tmp_path / "scores.json").read_text())
    assert stored["schema_version"] == 1
    assert stored["metrics"][0]["name"] == "Mel"
    assert stored["metrics"][0]["description"]["sample_rate"] == 24000
    assert len(stored["utterances"]) == 5
    assert stored["failures"][0]["id"] == "spoiled"
    table = (tmp_path / "scores.md").read_text()
    mel = report.metrics[0]
    low, high = mel.interval
    assert f"| Mel | {mel.value:.3f} log10 | {low:.3f} to {high:.3f} | lower | 4 | 1 |" in table
    assert "spoiled, Mel" in table
    assert not list(tmp_path.glob(".tmp*"))
