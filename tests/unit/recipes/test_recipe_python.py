"""The parts of the recipes' programs that need no model."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from latentspeech.core.errors import CheckpointError, DataError
from latentspeech.core.train.state.averaged_weights import load_averaged
from latentspeech.data.utterances import Utterance
from latentspeech.eval.protocols.cut_utterances import choose_evaluation_items
from recipes.lib.plot_training import plot, read_curves
from recipes.lib.result_folder import audio_path, open_result_folder
from recipes.lib.results_file import read_table, write_results
from recipes.lib.stage_record import fingerprint


def utterance(speaker: str, number: int, duration_s: float = 3.0, text: str = "hello") -> Utterance:
    name = f"{speaker}/{number}"
    return Utterance(name, Path(f"{name}.wav"), 0.0, duration_s, True, speaker, text)


def test_prompts_are_the_utterance_before_of_the_same_speaker() -> None:
    utterances = [utterance("b", 2), utterance("a", 1), utterance("b", 1), utterance("a", 2)]
    items = choose_evaluation_items([*utterances, utterance("lonely", 1)], 0)
    pairs = {item.target.id: item.prompt.id for item in items}
    assert pairs == {"a/1": "a/2", "a/2": "a/1", "b/1": "b/2", "b/2": "b/1"}
    # Speakers take turns, so a short list has them all.
    assert [item.target.speaker for item in choose_evaluation_items(utterances, 2)] == ["a", "b"]


def test_unusable_test_utterances_are_left_out() -> None:
    bad = [utterance("a", 1, 0.4), utterance("a", 2, 60.0), utterance("a", 3, text="")]
    items = choose_evaluation_items([*bad, utterance("a", 4), utterance("a", 5)], 0)
    assert {item.target.id for item in items} == {"a/4", "a/5"}
    with pytest.raises(DataError, match="larger corpus"):
        choose_evaluation_items([*bad, utterance("a", 4)], 0)


def test_results_of_another_model_are_not_kept(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    open_result_folder(folder, {"model": "one"})
    audio_path(folder, "hyp", "small/1/x").write_bytes(b"1")
    open_result_folder(folder, {"model": "one"})
    assert (folder / "hyp/small/1/x.wav").is_file()
    open_result_folder(folder, {"model": "two"})
    assert not (folder / "hyp").exists()


def test_fingerprint_sees_content_and_names(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a").write_text("1")
    first = fingerprint(folder)
    assert fingerprint(folder) == first
    (folder / "a").write_text("2")
    second = fingerprint(folder)
    (folder / "a").rename(folder / "b")
    assert len({first, second, fingerprint(folder)}) == 3


def test_curves_are_read_and_drawn(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"step": 10, "seconds": 1.0, "train/loss": 3.0, "optim/lr": 0.1},
        {"step": 20, "seconds": 2.0, "train/loss": None, "valid/loss": 2.0},
    ]
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    curves = read_curves(path)
    assert curves == {"loss": {"train": [(10, 3.0)], "valid": [(20, 2.0)]}}
    plot(curves, "toy", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match="not found"):
        read_curves(tmp_path / "none.jsonl")


def test_results_file_says_how_it_was_made(tmp_path: Path) -> None:
    scores = tmp_path / "scores.md"
    scores.write_text("| a |\n|---|\n| 1 |\n\nnotes\n| not |\n")
    table = read_table(scores)
    assert table == "| a |\n|---|\n| 1 |\n"
    write_results(tmp_path / "RESULTS.md", "do it", ["run: 3"], table, [tmp_path / "x/c.png"])
    text = (tmp_path / "RESULTS.md").read_text()
    for part in ("`do it`", "commit:", "hardware:", "| 1 |", "![c](x/c.png)"):
        assert part in text


def test_the_mini_results_open_with_what_ships() -> None:
    text = (Path(__file__).parents[3] / "egs/mini/RESULTS.md").read_text()
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles[:2] == ["The default voice", "The default codec"]
    for name in ("default voice", "latent rates", "codec ablations"):
        assert text.count(f"<!-- begin: {name} -->") == text.count(f"<!-- end: {name} -->") == 1


def test_a_run_without_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_averaged(tmp_path, torch.nn.Linear(1, 1))
