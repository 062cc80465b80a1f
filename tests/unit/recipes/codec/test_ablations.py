"""The codec ablations: one change each, and the table of what they came to."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from latentspeech.codec.model import Codec
from latentspeech.core.config import load_config
from latentspeech.core.errors import DataError
from latentspeech.core.eval.report import EvalReport, ItemResult, MetricResult
from latentspeech.core.eval.scorer import Score
from latentspeech.core.storage.files import write_json
from latentspeech.training.codec_run import CodecRunConfig
from recipes.codec.ablations import about, hash_of, is_done, scores_table, section
from recipes.lib.results_file import write_results, write_section
from tests.unit.recipes.shell import ROOT, run_bash

FOLDER = ROOT / "egs/mini/conf/ablations"
RUNS = {path.stem.removeprefix("codec_"): path for path in sorted(FOLDER.glob("codec_*.yaml"))}
# The part of the configuration that each run may change.
CHANGES = {
    "istft_decoder": "codec.decoder",
    "mirrored_decoder": "codec.decoder",
    "no_cepstrum": "codec.encoder.cepstrum_lags",
    "waveform_encoder": "codec.encoder",
    "sigma_025": "codec.posterior.sigma_std",
    "sigma_075": "codec.posterior.sigma_std",
    "fixed_025": "codec.posterior",
    "fixed_050": "codec.posterior",
    "fixed_075": "codec.posterior",
    "beta_001": "codec.posterior.beta",
    "beta_1": "codec.posterior.beta",
    "dim_16": "codec.latent_dim",
    "dim_64": "codec.latent_dim",
    # As many numbers a second: rate and width belong together.
    "rate_7.5": "codec",
    "seed_1": "train.seed",
}


def load(name: str) -> CodecRunConfig:
    return load_config(CodecRunConfig, RUNS[name])


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


@pytest.mark.parametrize("name", sorted(RUNS.keys() - {"base"}))
def test_a_run_changes_one_thing_of_the_base(name: str) -> None:
    base, mine = (dict(flatten(load(run).model_dump(mode="json"))) for run in ("base", name))
    changed = {key for key in base.keys() | mine.keys() if base.get(key) != mine.get(key)}
    assert changed
    assert all(f"{key}.".startswith(f"{CHANGES[name]}.") for key in changed), changed


def test_sigma_is_what_the_names_say() -> None:
    for name, sigma in {"base": 0.5, "sigma_025": 0.25, "sigma_075": 0.75}.items():
        posterior = load(name).codec.posterior
        assert posterior.kind == "per_example"
        assert posterior.mean_abs_sigma == pytest.approx(sigma, abs=2e-3)
    for name, sigma in {"fixed_025": 0.25, "fixed_050": 0.5, "fixed_075": 0.75}.items():
        posterior = load(name).codec.posterior
        assert (posterior.kind, posterior.mean_abs_sigma) == ("fixed", sigma)
        assert posterior.beta == load("base").codec.posterior.beta


def test_a_lower_rate_carries_as_many_numbers_a_second() -> None:
    base, slow = load("base").codec, load("rate_7.5").codec
    assert (base.frame_rate, slow.frame_rate) == (15.0, 7.5)
    assert base.frame_rate * base.latent_dim == slow.frame_rate * slow.latent_dim


def test_other_encoders_and_decoders_are_of_about_the_same_size() -> None:
    def size(name: str) -> int:
        return sum(parameter.numel() for parameter in Codec(load(name).codec).parameters())

    for name in ("istft_decoder", "mirrored_decoder", "waveform_encoder"):
        assert size(name) == pytest.approx(size("base"), rel=0.1)


def test_a_run_is_about_the_first_lines_of_its_file(tmp_path: Path) -> None:
    assert about(RUNS["base"]).startswith("The default codec's kinds")
    assert "Every other file" not in about(RUNS["base"])
    path = tmp_path / "codec_x.yaml"
    path.write_text("# One\n# thing.\nbase: y.yaml\n")
    assert about(path) == "One thing."


def report(values: Mapping[str, float], metric: str = "Mel") -> EvalReport:
    result = MetricResult(
        key="mel",
        name=metric,
        unit="log10",
        higher_is_better=False,
        held_against="reference",
        value=sum(values.values()) / len(values),
        interval=(0.25, 0.75),
        group_interval=None,
        num_scored=len(values),
        num_failed=0,
        totals={},
        description={},
    )
    rows = [
        ItemResult(id=name, hypothesis=f"{name}.wav", scores={metric: Score(value)})
        for name, value in values.items()
    ]
    return EvalReport([result], rows, [], {})


def test_a_cell_is_the_value_and_the_interval_of_its_difference_from_base() -> None:
    # One utterance is hard for both: their own intervals overlap, the difference is always 1.
    base = {"a": 1.0, "b": 9.0, "c": 2.0}
    runs = {
        "base": {"means": report(base)},
        "worse": {"means": report({name: value + 1 for name, value in base.items()})},
    }
    lines = scores_table(runs).splitlines()
    assert lines[0] == "| run | Mel, from the means |"
    assert lines[2] == "| base | 4.000 (0.250 to 0.750) |"
    assert lines[3] == "| worse | 5.000 (+1.000 to +1.000) |"


def recorded(exp_dir: Path, name: str, **changes: Any) -> Path:
    """A run's folder as `record` and recipes.codec.check leave it."""
    folder = exp_dir / name
    values = {
        "about": about(RUNS[name]),
        "config_hash": hash_of(load(name)),
        "encoder_millions": 1.4,
        "decoder_millions": 2.2,
        "steps": 1500,
        "train_s": 240.0,
        "commit": "abc",
        "valid": {"valid/log_std_mu_over_sigma": 0.0, "valid/mel_l1": 2.5},
        "mean_abs_sigma": 0.5,
        **changes,
    }
    for kind in ("means", "sampled"):
        path = folder / kind / "human/scores.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, report({"a": 1.0, "b": 2.0}).to_dict())
    write_json(folder / "facts.json", values)
    return folder


def test_the_table_has_the_recorded_runs_and_names_the_others(tmp_path: Path) -> None:
    recorded(tmp_path, "base", pitch_cross_entropy=3.21)
    recorded(tmp_path, "dim_16", mean_abs_sigma=1.0)
    text = section(tmp_path, ["base", "dim_16", "dim_64"], "do it")
    assert "`do it`" in text
    assert "commit: abc" in text
    assert "not run yet: dim_64" in text
    assert "| 1.40 + 2.20 | 1500 | 4.0 | 0.50 | 0.00 | 2.500 | 3.21 |" in text
    assert "| 1.00 | 0.00 | 2.500 | - |" in text
    assert "| base | 1.500 (0.250 to 0.750) | 1.500 (0.250 to 0.750) |" in text
    assert "| dim_16 | 1.500 (+0.000 to +0.000) |" in text
    # A bar in what a file says of itself is no cell's end.
    recorded(tmp_path, "sigma_025")
    assert "| E\\|sigma\\| 0.25 in" in section(tmp_path, ["base", "sigma_025"], "do it")
    with pytest.raises(DataError, match="no recorded run"):
        section(tmp_path, ["dim_64"], "do it")


def test_a_run_of_another_configuration_is_refused(tmp_path: Path) -> None:
    assert not is_done(RUNS["base"], tmp_path / "base")
    folder = recorded(tmp_path, "base")
    assert is_done(RUNS["base"], folder)
    facts = json.loads((folder / "facts.json").read_text())
    write_json(folder / "facts.json", facts | {"config_hash": "other"})
    with pytest.raises(DataError, match="another codec_base"):
        is_done(RUNS["base"], folder)


def test_the_section_and_the_rest_of_results_survive_each_other(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    write_section(path, "codec ablations", "## Ablations\n\nfirst version")
    write_results(path, "do it", ["run: 1"], "| scores |\n", [])
    write_section(path, "other", "kept")
    write_section(path, "codec ablations", "## Ablations\n\ntwo \\1")
    write_results(path, "do it again", ["run: 2"], "| new scores |\n", [])
    text = path.read_text()
    assert text.startswith("# Results\n")
    assert text.count("# Results") == text.count("## Ablations") == text.count("kept") == 1
    for part in ("do it again", "| new scores |", "two \\1"):
        assert part in text
    for part in ("| scores |", "run: 1", "first version"):
        assert part not in text
    # A file that people wrote keeps all they wrote.
    path.write_text("# Results\n\nby hand\n")
    write_section(path, "codec ablations", "three")
    assert path.read_text().startswith("# Results\n\nby hand\n\n<!-- begin: codec ablations -->\n")


def test_the_runner_says_what_is_wrong() -> None:
    result = run_bash("bash egs/mini/local/run_ablations.sh --only 'base no_such_run'")
    assert result.returncode == 2
    assert "no run 'no_such_run'" in result.stderr
    missing = run_bash("bash egs/mini/local/run_ablations.sh --data_dir /nowhere")
    assert missing.returncode == 2
    assert "cuts_codec_train.jsonl.gz" in missing.stderr
    shown = run_bash("bash egs/mini/local/run_ablations.sh --help")
    for name in RUNS:
        assert f" {name}" in shown.stdout


def test_a_script_without_options_for_processes_trains_in_one() -> None:
    result = run_bash("set -euo pipefail; source recipes/lib/child.sh; train_processes")
    assert (result.returncode, result.stdout.strip()) == (0, "1"), result.stderr
