"""What must hold of every signal metric: bad audio is answered as the documentation says."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from latentspeech.audio.io import load_audio, resample, write_audio
from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.metrics.catalogue import METRICS, make_scorer
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.pair import EvalPair
from tests.tiny_utmos import random_tensors, shrink_utmos, weights_folder

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "evaluation" / "signal_metrics.md"
MODULES = ("mel_distance", "pesq_wb", "stoi", "visqol", "si_sdr", "pitch", "utmos", "dnsmos")
MODULES += ("distillmos",)
SIGNAL_METRICS = [
    name for name, metric in METRICS.items() if metric.module.rpartition(".")[2] in MODULES
]
# DNSMOS hears 9 s whatever it is given; the others share their code with a cheaper one.
COSTLY = ("dnsmos", "distillmos", "visqol-audio", "visqol-lattice", "voicing")
SCORED = [
    pytest.param(name, marks=pytest.mark.slow) if name in COSTLY else name
    for name in SIGNAL_METRICS
]
RATE = 24000
# Seconds that each metric hears at once, and which; their windows and blocks are alike, so that
# minutes show whether memory grows. UTMOS is left out: its network of real size is not at hand.
# "voicing" tracks pitch as "f0" does.
SHORTER_S = {"dnsmos": 30, "f0": 30, "visqol": 60, "visqol-lattice": 60, "visqol-audio": 30}
SHORTER_S |= {"distillmos": 15}
LONG_GROUPS: dict[int, list[str]] = {}
for _name in SIGNAL_METRICS:
    if _name not in ("utmos", "voicing"):
        LONG_GROUPS.setdefault(SHORTER_S.get(_name, 120), []).append(_name)
MEMORY_LIMIT_MIB = 2048

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")


def syllables(duration_s, rate=RATE):
    """Sound that every metric takes for speech: voiced syllables, hiss and pauses in turn, (T,)."""
    generator = torch.Generator().manual_seed(0)
    time_s = torch.arange(int(duration_s * rate)) / rate
    pitch_hz = 140 + 20 * torch.sin(2 * torch.pi * 0.7 * time_s)
    phase = 2 * torch.pi * torch.cumsum(pitch_hz, dim=0) / rate
    formants = (700, 1200, 2500)
    gains = [sum(1 / (1 + ((140 * n - f) / 150) ** 2) for f in formants) for n in range(1, 30)]
    voice = sum(gain * torch.sin(number * phase) for number, gain in enumerate(gains, start=1))
    place_s = time_s.remainder(0.5)
    hiss = 0.3 * torch.randn(time_s.shape, generator=generator)
    audio = torch.where(place_s < 0.3, voice, torch.where(place_s < 0.4, hiss, 0.0 * hiss))
    return 0.05 * audio


@pytest.fixture(scope="module")
def speech():
    return syllables(2.0)


# Loaded once for all tests, as in a run of many files.
_prepared: dict[str, AudioScorer] = {}


@pytest.fixture
def scorer(request, monkeypatch, tmp_path):
    """The metric under test; UTMOS, whose weights no package brings, as a tiny network."""
    if request.param == "utmos":
        package = shrink_utmos(monkeypatch)
        folder = weights_folder(monkeypatch, tmp_path)
        torch.save(random_tensors(package), folder / "utmos_state_dict.pt")
    if request.param not in _prepared:
        scorer = make_scorer(request.param)
        try:
            scorer.prepare()
        except MetricUnavailable as error:
            pytest.skip(str(error))
        _prepared[request.param] = scorer
    return _prepared[request.param]


def noisy(audio):
    return audio + 0.01 * torch.randn(audio.shape, generator=torch.Generator().manual_seed(1))


def with_nan(audio):
    audio = audio.clone()
    audio[100] = math.nan
    return audio


CASES = {
    "empty": lambda speech: (speech, speech[:0]),
    "silent reference": lambda speech: (torch.zeros_like(speech), noisy(speech)),
    "silent hypothesis": lambda speech: (speech, torch.zeros_like(speech)),
    "clipped": lambda speech: (speech, (20 * noisy(speech)).clamp(-1, 1)),
    "NaN": lambda speech: (speech, with_nan(speech)),
    "0.1 s": lambda speech: (speech[: RATE // 10], noisy(speech)[: RATE // 10]),
    "longer": lambda speech: (speech, noisy(torch.cat([speech, speech[: RATE // 3]]))),
    "shorter": lambda speech: (speech, noisy(speech)[: -RATE // 3]),
}


def documented():
    """{metric: {case: "value" or "error"}} of the table on the page."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| metric | empty"))
    header = [cell.strip() for cell in lines[start].strip("|").split("|")]
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for name in re.findall(r"`([^`]+)`", cells[0]):
            rows[name] = dict(zip(header[1:], cells[1:], strict=True))
    return rows


def test_the_page_has_a_row_for_every_signal_metric():
    table = documented()
    assert sorted(table) == sorted(SIGNAL_METRICS)
    for row in table.values():
        assert set(CASES) | {"10 min", "other rate"} == set(row)
        assert {cell.split()[0] for cell in row.values()} <= {"value", "error"}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scorer", SCORED, indirect=True)
def test_bad_audio_is_answered_as_the_page_says(request, scorer, case, speech):
    name = request.node.callspec.params["scorer"]
    reference, hypothesis = CASES[case](speech)
    if scorer.held_against == "nothing":
        reference = None
    if documented()[name][case].startswith("error"):
        with pytest.raises(InputError) as caught:
            scorer.score(reference, hypothesis, RATE, None)
        assert "\n" not in str(caught.value)
        assert "expect" in str(caught.value) or "undefined" in str(caught.value)
    else:
        score = scorer.score(reference, hypothesis, RATE, None)
        assert math.isfinite(score.value)
        assert "duration_s" in score.details


@pytest.mark.parametrize("scorer", SCORED, indirect=True)
def test_files_of_two_rates_are_brought_to_one(scorer, speech, tmp_path):
    hypothesis = noisy(speech)
    write_audio(tmp_path / "reference.wav", speech, RATE)
    write_audio(tmp_path / "hypothesis.wav", resample(hypothesis, RATE, 16000), 16000)
    pair = EvalPair("a", tmp_path / "hypothesis.wav", tmp_path / "reference.wav")
    report = evaluate([pair], [scorer], num_resamples=10)
    assert report.failures == []
    rate = 16000 if scorer.held_against == "nothing" else RATE
    expected = scorer.score(
        None if scorer.held_against == "nothing" else load_audio(tmp_path / "reference.wav", rate),
        load_audio(tmp_path / "hypothesis.wav", rate),
        rate,
        None,
    )
    assert report.metrics[0].value == pytest.approx(expected.value, rel=1e-6)


@pytest.mark.parametrize("name", SIGNAL_METRICS)
def test_a_metric_is_made_without_its_package_and_names_it_when_prepared(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    scorer = make_scorer(name)
    if name.startswith("mel") or name == "si-sdr":
        scorer.prepare()  # nothing beyond what the toolkit itself needs
    else:
        with pytest.raises(MetricUnavailable, match="run: pip install"):
            scorer.prepare()


@pytest.mark.parametrize("scorer", SCORED, indirect=True)
def test_a_metric_says_what_its_number_depends_on(scorer):
    description = scorer.describe()
    assert description["metric"] == scorer.name
    assert {"model", "sample_rate", "lengths", "aggregation"} <= description.keys()


_LONG = """
import math, resource, sys
import torch
torch.set_num_threads(1)
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.eval.metrics.catalogue import make_scorer
from tests.contracts.test_metrics import RATE, noisy, syllables

speech = syllables(5.0).repeat(int(sys.argv[1]) // 5)
tested = noisy(speech)
for name in sys.argv[2:]:
    scorer = make_scorer(name)
    try:
        scorer.prepare()
    except MetricUnavailable:
        continue
    reference = None if scorer.held_against == "nothing" else speech
    value = scorer.score(reference, tested, RATE, None).value
    assert math.isfinite(value), (name, value)
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(name, memory_mib)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", LONG_GROUPS)
def test_long_audio_stays_within_two_gib(seconds):
    """The peak of the process after each metric of a group; it only rises."""
    command = [sys.executable, "-c", _LONG, str(seconds), *LONG_GROUPS[seconds]]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
    peaks = {name: int(mib) for name, mib in map(str.split, result.stdout.splitlines())}
    assert peaks, "no metric of this group is installed"
    assert max(peaks.values()) < MEMORY_LIMIT_MIB, peaks
