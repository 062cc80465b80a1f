"""A sweep over sampling settings: which ones, spoken and scored once, taken up after a kill."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.eval.report import EvalReport, ItemResult, MetricResult
from latentspeech.core.eval.scorer import Score
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.data.utterances import Utterance
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.protocols.cut_utterances import EvaluationItem
from latentspeech.tts.length_guard import STREAMED
from latentspeech.tts.synthesizer import Synthesizer
from recipes.lib.result_folder import claim_result_folder
from recipes.tts.sweep.grid import Field, make_grid, setting_name
from recipes.tts.sweep.report import RECORDINGS, differences_table, plot, values_table
from recipes.tts.sweep.sampling import Material, speak_setting, sweep_sampling, write_report
from recipes.tts.test_set.sampling_options import (
    add_batch_option,
    add_sampling_options,
    change_sampling,
    sampling_of,
)
from recipes.tts.test_set.speaking import Speaking
from tests.tiny_models import SAMPLING, make_model_directory, voice_like

SOLVER = SAMPLING.solver


def test_the_sampling_is_the_models_unless_options_are_given() -> None:
    parser = argparse.ArgumentParser()
    add_sampling_options(parser)
    assert sampling_of(parser.parse_args([]), SAMPLING) == SAMPLING
    arguments = ["--cfg_scale", "4.5", "--num_steps", "3", "--solver", "ddim"]
    found = sampling_of(parser.parse_args(arguments), SAMPLING)
    assert (found.cfg_scale, found.num_steps, found.solver) == (4.5, 3, "ddim")
    with pytest.raises(ConfigError, match="num_steps"):
        sampling_of(parser.parse_args(["--num_steps", "0"]), SAMPLING)


@pytest.mark.parametrize("text", ["0", "-1", "two"])
def test_a_batch_has_one_or_more(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_batch_option(parser)
    assert parser.parse_args(["--batch_size", "3"]).batch_size == 3
    with pytest.raises(SystemExit):
        parser.parse_args([f"--batch_size={text}"])
    assert "expected a whole number of 1 or more" in capsys.readouterr().err


def test_the_audio_of_other_settings_has_another_key(tmp_path: Path) -> None:
    model = make_model_directory(tmp_path)
    keys = [
        Speaking(SAMPLING).key(model),
        Speaking(change_sampling(SAMPLING, cfg_scale=4.0)).key(model),
        Speaking(SAMPLING, guard=STREAMED).key(model),
        Speaking(SAMPLING, equalizer=False).key(model),
        Speaking(SAMPLING, setting="prefix").key(model),
    ]
    assert all(one != other for i, one in enumerate(keys) for other in keys[:i])
    claim_result_folder(tmp_path / "out", keys[0])
    claim_result_folder(tmp_path / "out", keys[0])
    with pytest.raises(DataError, match="another retries; give another --out"):
        claim_result_folder(tmp_path / "out", keys[2])


def test_a_grid_has_each_setting_once_and_its_base_first() -> None:
    base = change_sampling(SAMPLING, cfg_scale=4.0, num_steps=5, noise_scale=0.5)
    values: dict[Field, list[float]] = {"cfg_scale": [1.0, 2.0, 4.0], "num_steps": [1, 5]}
    grid = make_grid(base, ["ddim", "euler"], values)
    names = [setting_name(one) for one in grid.settings()]
    assert names[0] == "cfg4_steps5_noise0.5_ddim" == setting_name(grid.base)
    assert len(names) == len(set(names)) == 8
    assert [sweep.axis for sweep in grid.sweeps] == [
        "CFG scale, at steps 5 and noise 0.5",
        "steps, at CFG scale 4 and noise 0.5",
    ]
    assert grid.sweeps[0].values() == [1, 2, 4]
    by_noise = make_grid(base, ["ddim"], {"num_steps": [], "noise_scale": [0.0, 1.0]})
    assert [one.field for one in by_noise.sweeps] == ["noise_scale"]
    assert [one.noise_scale for one in by_noise.settings()] == [0.0, 1.0]
    with pytest.raises(ConfigError, match="nothing to sweep"):
        make_grid(base, ["ddim"], {"cfg_scale": []})


@pytest.fixture(scope="module")
def synthesizer(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return Synthesizer.from_directory(make_model_directory(tmp_path_factory.mktemp("tiny")))


def material(synthesizer: Synthesizer, folder: Path, batch_size: int = 2) -> Material:
    texts = ["Hello.", "One two. Three four!", "Five."]
    utterances = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.wav"
        if not path.is_file():
            write_audio(path, voice_like(1.5, seed=number), 24_000)
        utterances.append(Utterance(f"s/{number}", path, 0.0, 1.5, True, "s", text))
    items = [EvaluationItem(one, utterances[i - 1]) for i, one in enumerate(utterances)]
    out = folder / "out"
    out.mkdir(exist_ok=True)
    speaking = Speaking(SAMPLING, guard=STREAMED)
    return Material(synthesizer, items, out, speaking, batch_size, {"s/1": "female"}, "here")


class KilledError(Exception):
    """Stands for a signal."""


def test_a_killed_sweep_goes_on_where_it_was(
    synthesizer: Synthesizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = change_sampling(SAMPLING, cfg_scale=1.0, num_steps=1, noise_scale=1.0)
    grid = make_grid(base, [SOLVER], {"cfg_scale": [1.0, 2.0]})
    scorers = make_scorers(["mel", "rtf"])
    spoken: list[tuple[float, int]] = []
    seen: list[dict[str, EvalReport]] = []
    original = Synthesizer.synthesize_batch

    def counted(self: Synthesizer, texts: list[str], *arguments: object) -> object:
        sampling = arguments[2]
        assert isinstance(sampling, SamplingConfig)
        if len(spoken) == 3:  # two batches of the first setting, one of the second
            raise KilledError
        spoken.append((sampling.cfg_scale, len(texts)))
        return original(self, texts, *arguments)  # type: ignore[arg-type]

    def run() -> None:
        one = material(synthesizer, tmp_path)
        sweep_sampling(one, grid.settings(), scorers, lambda found: seen.append(dict(found)))

    monkeypatch.setattr(Synthesizer, "synthesize_batch", counted)
    with pytest.raises(KilledError):
        run()
    assert spoken == [(1.0, 2), (1.0, 1), (2.0, 2)]
    out = tmp_path / "out"
    first = out / f"{setting_name(base)}/scores.json"
    before = [path.stat().st_mtime_ns for path in (first, out / RECORDINGS / "scores.json")]
    spoken.clear()
    run()
    assert spoken == [(2.0, 1)]
    after = [path.stat().st_mtime_ns for path in (first, out / RECORDINGS / "scores.json")]
    assert before == after
    assert [len(found) for found in seen] == [2, 2, 3]
    # Fewer metrics do not cost the scores of the others.
    scorers = make_scorers(["rtf"])
    run()
    assert seen.pop()[setting_name(base)].metric("mel").num_scored == 3
    assert [path.stat().st_mtime_ns for path in (first, out / RECORDINGS / "scores.json")] == after
    seen.pop()
    report = EvalReport.read(out / f"cfg2_steps1_noise1_{SOLVER}/scores.json")
    assert {one.id: one.facts.get("sex") for one in report.items} == {
        "s/0": None,
        "s/1": "female",
        "s/2": None,
    }
    assert [metric.num_scored for metric in report.metrics] == [3, 3]
    assert [metric.key for metric in seen[-1][RECORDINGS].metrics] == ["mel"]
    write_report(out, grid, seen[0], ["a note"])
    assert f"not scored yet: cfg2_steps1_noise1_{SOLVER}" in (out / "sweep.md").read_text()
    write_report(out, grid, seen[-1], ["a note"])
    text = (out / "sweep.md").read_text()
    assert "not scored yet" not in text
    for part in ("- a note", "| recordings | - | - | - |", f"Differences from {SOLVER}, 1, 1, 1"):
        assert part in text
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_a_setting_does_not_depend_on_the_batch(synthesizer: Synthesizer, tmp_path: Path) -> None:
    sampling = change_sampling(SAMPLING, cfg_scale=2.0, num_steps=2)
    spoken = []
    for batch_size in (1, 3):
        one = material(synthesizer, tmp_path, batch_size)
        chosen = speak_setting(replace(one, out=tmp_path / f"out{batch_size}"), sampling)
        spoken.append([load_audio(pair.hypothesis_path) for pair in chosen.pairs()])
    for alone, together in zip(*spoken, strict=True):
        assert alone.shape == together.shape
        assert float((alone - together).norm() / alone.norm().clamp(min=1e-3)) < 1e-2


def report(values: Mapping[str, float], rtf: float) -> EvalReport:
    def metric(key: str, name: str, value: float) -> MetricResult:
        return MetricResult(
            key=key,
            name=name,
            unit="",
            higher_is_better=key != "rtf",
            held_against="nothing",
            value=value,
            interval=(value - 1, value + 1),
            group_interval=(value - 2, value + 2),
            num_scored=len(values),
            num_failed=0,
            totals={},
            description={},
        )

    rows = [
        ItemResult(id=name, hypothesis=f"{name}.wav", scores={"STOI": Score(value)})
        for name, value in values.items()
    ]
    metrics = [metric("stoi", "STOI", sum(values.values()) / len(values))]
    return EvalReport([*metrics, metric("rtf", "RTF", rtf)], rows, [], {})


def test_values_differences_and_curves(tmp_path: Path) -> None:
    base = change_sampling(SAMPLING, cfg_scale=1.0, num_steps=5, noise_scale=1.0)
    grid = make_grid(base, [SOLVER], {"cfg_scale": [1.0, 4.0], "num_steps": [1]})
    hard, easy = {"a": 1.0, "b": 9.0}, {"a": 2.0, "b": 10.0}
    recordings = report(hard, 0.0)
    reports = {
        f"cfg1_steps5_noise1_{SOLVER}": report(hard, 0.5),
        f"cfg4_steps5_noise1_{SOLVER}": report(easy, 0.7),
        RECORDINGS: replace(recordings, metrics=recordings.metrics[:1]),
    }
    lines = values_table(grid.settings(), reports).splitlines()
    assert (
        lines[2] == "| solver | CFG scale | steps | noise | STOI \u2191 | RTF \u2193 | utterances |"
    )
    # The wider interval; none of times, which a batch shares.
    assert lines[4] == f"| {SOLVER} | 1 | 5 | 1 | 5.000 (3.000 to 7.000) | 0.500 | 2 |"
    assert lines[5] == f"| {SOLVER} | 4 | 5 | 1 | 6.000 (4.000 to 8.000) | 0.700 | 2 |"
    assert lines[6] == "| recordings | - | - | - | 5.000 (3.000 to 7.000) | none | 2 |"
    text = differences_table(grid.settings(), reports, grid.base)
    # Each is better by one: the difference is known better than the values.
    assert f"| {SOLVER} | 4 | 5 | 1 | +1.000 (+1.000 to +1.000) |" in text
    assert differences_table(grid.settings(), {RECORDINGS: recordings}, grid.base) == ""
    plot(grid.sweeps, reports, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
