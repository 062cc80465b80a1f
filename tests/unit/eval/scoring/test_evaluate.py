import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.eval.metrics.catalogue import METRICS, make_scorer
from latentspeech.eval.metrics.mel_distance import MelDistance
from latentspeech.eval.metrics.si_sdr import SiSdr
from latentspeech.eval.scoring.evaluate import evaluate, metric_key
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.eval.scoring.score_store import ScoreStore
from latentspeech.eval.scoring.workers import WorkerError
from tests.tiny_scorers import Absent, Broken, Damaged, Misconfigured, Peak, Pooled


@pytest.fixture
def pairs(tmp_path):
    made = []
    for index in range(4):
        generator = torch.Generator().manual_seed(index)
        audio = 0.1 * torch.randn(9600, generator=generator)
        original, tested = tmp_path / f"r{index}.wav", tmp_path / f"h{index}.flac"
        write_audio(original, audio, 24000)
        write_audio(tested, audio * 0.5, 24000)
        pair = EvalPair(
            id=f"u{index}",
            hypothesis_path=tested,
            reference_path=original,
            transcript="hello there",
            speaker=f"spk{index % 2}",
        )
        made.append(pair)
    return made


def found_in(report):
    """What does not depend on the run: all but time, memory and jobs."""
    values = report.to_dict()
    del values["run"]
    return json.dumps(values, sort_keys=True)


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
    found = [(f.id, f.metric) for f in report.failures]
    assert found == [("spoiled", mel.name), ("spoiled", "Peak"), ("gone", mel.name)]
    assert all("wav" in failure.reason for failure in report.failures)
    assert calls == [(n, 6) for n in range(7)]


def bad_files(folder, good):
    """{kind: (file, what its failure says)}"""
    header = (good.read_bytes(), "truncated")
    contents = {
        "empty": (b"", "empty"),
        "truncated": (header[0][: len(header[0]) // 2], "truncated|cut short|ends"),
        "text": (b"this is no recording\n" * 50, "no audio"),
        "headeronly": (header[0][:44], "samples|truncated|cut short"),
    }
    found = {"missing": (folder / "missing.wav", "not found")}
    for name, (content, message) in contents.items():
        path = folder / f"bad_{name}.wav"
        path.write_bytes(content)
        found[name] = (path, message)
    nan = folder / "bad_nan.wav"
    samples = np.full(9600, np.nan, dtype=np.float32)
    soundfile.write(nan, samples, 24000, subtype="FLOAT")
    found["nan"] = (nan, "NaN")
    return found


def test_each_kind_of_bad_file_is_explained_by_name(tmp_path, pairs):
    kinds = bad_files(tmp_path, pairs[0].reference_path)
    tested = [EvalPair(name, path, pairs[0].reference_path) for name, (path, _) in kinds.items()]
    report = evaluate([*tested, pairs[0]], [SiSdr()])
    assert report.metrics[0].num_scored == 1
    reasons = {failure.id: failure.reason for failure in report.failures}
    assert reasons.keys() == kinds.keys()
    for name, (path, message) in kinds.items():
        assert path.name in reasons[name]
        assert any(part in reasons[name] for part in message.split("|")), reasons[name]


def test_stereo_is_averaged(tmp_path, pairs):
    mono, rate = soundfile.read(pairs[0].hypothesis_path)
    stereo = np.stack([mono + 0.05, mono - 0.05], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, rate, subtype="FLOAT")
    both = [pairs[0], replace(pairs[0], id="stereo", hypothesis_path=tmp_path / "stereo.wav")]
    values = [u.scores["Peak"].value for u in evaluate(both, [Peak()]).items]
    assert values[1] == pytest.approx(values[0], abs=1e-6)


def test_values_intervals_and_speakers(pairs):
    report = evaluate(pairs, [Peak(), Pooled()], seed=3)
    result, pooled = report.metrics
    values = [u.scores["Peak"].value for u in report.items]
    assert result.value == pytest.approx(sum(values) / 4)
    assert pooled.value == pytest.approx(1e3 * sum(values) / (4 * 9600))
    assert pooled.totals == {"samples": 4 * 9600}
    low, high = result.interval
    assert min(values) <= low < result.value < high <= max(values)
    speakers = {bucket.label: bucket.value for bucket in result.buckets_by("speaker")}
    assert speakers["spk0"] == pytest.approx((values[0] + values[2]) / 2)
    assert result.group_interval == pytest.approx(tuple(sorted(speakers.values())))
    assert found_in(evaluate(pairs, [Peak(), Pooled()], seed=3)) == found_in(report)
    # With few draws the seed shows.
    few = [evaluate(pairs, [Peak()], seed=s, num_resamples=5).metrics[0].interval for s in (3, 4)]
    assert few[0] != few[1]
    nameless = [replace(pairs[0], speaker=None), *pairs[1:]]
    assert evaluate(nameless, [Peak()]).metrics[0].group_interval is None


def test_the_report_says_what_each_utterance_was_and_how_the_run_went(pairs):
    report = evaluate([replace(pairs[0], sex="female")], [Peak()], settings={"list": {"a": 1}})
    row = report.items[0]
    assert row.facts == {"duration_s": 0.4, "num_words": 2, "sex": "female"}
    assert row.reference == str(pairs[0].reference_path)
    assert report.settings["list"] == {"a": 1}
    assert report.run.keys() >= {"command", "commit", "hardware", "versions", "seconds"}
    assert torch.__version__.startswith(report.run["versions"]["torch"])
    assert report.run["peak_memory_bytes"] > 10 << 20


def test_signals_are_compared_at_the_rate_of_the_reference(tmp_path):
    time = torch.arange(48000) / 48000
    tone = 0.5 * torch.sin(2 * torch.pi * 440 * time)
    write_audio(tmp_path / "r.wav", tone[::2], 24000)
    write_audio(tmp_path / "h.wav", tone, 48000)
    pair = EvalPair("tone", tmp_path / "h.wav", tmp_path / "r.wav")
    report = evaluate([pair], [MelDistance(), Peak()])
    assert report.metrics[0].value < 1.0
    scores = report.items[0].scores
    assert scores[report.metrics[0].name].details["duration_s"] == pytest.approx(1.0)
    assert scores["Peak"].details["sample_rate"] == 48000


class Compared(Peak):
    """Held against what the test says."""

    def __init__(self, held_against, prefix="included"):
        super().__init__()
        self.held_against = held_against
        self.prefix = prefix


@pytest.mark.parametrize(
    ("held_against", "prefix", "expected"),
    [
        ("nothing", "included", (24000, None)),
        ("nothing", "excluded", (18000, None)),
        ("reference", "included", (24000, 24000)),
        ("reference", "excluded", (18000, 18000)),
        ("prompt", "included", (24000, 6000)),
        ("prompt", "excluded", (18000, 6000)),
        ("codec_prompt", "excluded", (18000, 12000)),
    ],
)
def test_a_continuation_is_heard_with_or_without_its_prefix(
    tmp_path, held_against, prefix, expected
):
    for name, seconds in (("h", 1.0), ("r", 1.0), ("c", 0.5)):
        write_audio(tmp_path / f"{name}.wav", torch.ones(int(24000 * seconds)) / 2, 24000)
    pair = EvalPair(
        "a",
        tmp_path / "h.wav",
        reference_path=tmp_path / "r.wav",
        prompt_path=tmp_path / "r.wav",  # the utterance itself: its first 0.25 s were given
        codec_prompt_path=tmp_path / "c.wav",
        prefix_s=0.25,
    )
    report = evaluate([pair], [Compared(held_against, prefix)])
    details = report.items[0].scores["Peak"].details
    assert (details["samples"], details.get("reference_samples")) == expected
    whole = replace(pair, prefix_s=1.0)
    failures = evaluate([whole], [Compared(held_against, prefix)]).failures
    assert [f.reason for f in failures if "prefix of 1 s" in f.reason] == [
        f.reason for f in failures
    ]
    assert len(failures) == (prefix == "excluded")


def test_what_a_metric_needs_and_an_utterance_lacks_is_a_failure(pairs):
    bare = EvalPair("bare", pairs[0].hypothesis_path)
    needy = Peak()
    needy.needs_transcript = True
    needy.name = "Needy"
    report = evaluate([bare, pairs[0]], [needy, Compared("codec_prompt")])
    reasons = [f"{failure.id}: {failure.reason}" for failure in report.failures]
    assert reasons == [
        "bare: Needy compares with a transcript; none was given",
        "bare: Peak compares with the codec's copy of the prompt; none was given",
        "u0: Peak compares with the codec's copy of the prompt; none was given",
    ]


def test_failures_of_a_library_are_failures_of_the_utterance(pairs):
    texts = ("nan", "crash", "details", "good")
    tested = [replace(pair, transcript=text) for pair, text in zip(pairs, texts, strict=True)]
    report = evaluate(tested, [Broken()])
    reasons = {failure.id: failure.reason for failure in report.failures}
    assert reasons.keys() == {"u0", "u1", "u2"}
    assert "nan" in reasons["u0"]
    assert reasons["u1"] == "RuntimeError: inner failure"
    assert "no JSON" in reasons["u2"]
    assert (report.metrics[0].value, report.metrics[0].interval) == (0.5, None)
    with pytest.raises(ConfigError, match="setting"):
        evaluate([replace(pairs[0], transcript="setting")], [Broken()])


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_metric_that_cannot_be_measured_leaves_a_hole(pairs, jobs):
    report = evaluate(pairs, [Absent(), Peak(), Damaged()], jobs=jobs)
    absent, peak, damaged = report.metrics
    assert absent.hole == "Absent needs weights; run: fetch them"
    assert (absent.value, absent.num_scored, absent.num_failed) == (None, 0, 0)
    assert absent.description == {"metric": "Absent"}
    assert damaged.hole == "RuntimeError: unexpected end of file"
    assert peak.num_scored == 4
    assert report.failures == []
    with pytest.raises(ConfigError, match="LATENTSPEECH_WEIGHTS"):
        evaluate(pairs, [Misconfigured()], jobs=jobs)


def test_a_model_is_loaded_once_and_not_used_for_what_is_known(tmp_path, pairs):
    scorer = Peak()
    store = tmp_path / "s.jsonl"
    first = evaluate(pairs[:3], [scorer], store=ScoreStore(store))
    assert (scorer.num_prepared, scorer.num_scored) == (1, 3)
    second = evaluate(pairs, [scorer], store=ScoreStore(store))
    assert scorer.num_scored == 4
    assert found_in(evaluate(pairs, [Peak()])) == found_in(second)
    assert first.items == second.items[:3]


@pytest.mark.slow
def test_several_processes_give_the_same_report(tmp_path, pairs):
    (tmp_path / "bad.wav").write_bytes(b"not audio")
    bad = EvalPair("spoiled", tmp_path / "bad.wav", pairs[0].reference_path, speaker="spk0")
    scorers = [MelDistance(), SiSdr(), Pooled(), Absent()]
    alone = evaluate([pairs[0], bad, *pairs[1:]], scorers, jobs=1)
    together = evaluate([pairs[0], bad, *pairs[1:]], scorers, jobs=2)
    assert found_in(alone) == found_in(together)
    assert len(alone.failures) == 3


def test_a_process_that_dies_is_explained_and_loses_nothing(tmp_path, pairs):
    store = tmp_path / "s.jsonl"
    tested = [replace(pairs[0], transcript="slow"), replace(pairs[1], transcript="good")]
    tested.append(replace(pairs[2], transcript="die"))
    with pytest.raises(WorkerError, match=r"died .*u2"):
        evaluate(tested, [Broken()], jobs=2, store=ScoreStore(store))
    assert len(ScoreStore(store)) >= 1
    report = evaluate(tested[:2], [Broken()], store=ScoreStore(store))
    assert report.metrics[0].num_scored == 2


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
    with pytest.raises(ConfigError, match="jobs = 0"):
        evaluate(pairs, [Peak()], jobs=0)


def test_every_metric_is_known_by_its_command_line_name():
    names = {key: make_scorer(key).name for key in METRICS}
    assert len(set(names.values())) == len(METRICS)
    for key in METRICS:
        assert metric_key(make_scorer(key)) == key
    assert metric_key(Peak()) == ""
