"""The parts of the recipes' programs that need no model."""

import gzip
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import CheckpointError, DataError
from latentspeech.data.utterances import Utterance, read_utterances
from latentspeech.eval.protocols.cut_utterances import choose_evaluation_items
from recipes.averaged_weights import load_averaged
from recipes.plot_training import plot, read_curves
from recipes.result_folder import audio_path, open_result_folder
from recipes.results_file import read_table, write_results
from recipes.stage_record import fingerprint
from tests.unit.recipes.shell import ROOT


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


def test_a_run_without_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_averaged(tmp_path, torch.nn.Linear(1, 1))


@pytest.fixture(scope="module")
def make_cuts() -> ModuleType:
    path = ROOT / "egs/libriheavy/local/make_cuts.py"
    spec = importlib.util.spec_from_file_location("make_cuts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_manifest(path: Path, speakers: list[str]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for speaker in speakers:
            recording = f"small/{speaker}/book/part"
            source = f"download/librilight/{recording}.flac"
            spoken = {
                "texts": ["Once upon \u201ca\u201d time.", "ONCE UPON A TIME"],
                "pre_texts": ["x"],
            }
            cut = {
                "id": f"{recording}_0",
                "start": 0.5,
                "duration": 1.0,
                "channel": 0,
                "supervisions": [
                    {
                        "id": f"{recording}_0",
                        "recording_id": recording,
                        "start": 0,
                        "duration": 1.0,
                        "channel": 0,
                        "language": "English",
                        "speaker": speaker,
                        "custom": spoken,
                    }
                ],
                "recording": {
                    "id": recording,
                    "sources": [{"type": "file", "channels": [0], "source": source}],
                    "sampling_rate": 16000,
                    "num_samples": 32000,
                    "duration": 2.0,
                    "channel_ids": [0],
                },
                "custom": {"text_path": "x"},
                "type": "MonoCut",
            }
            file.write(json.dumps(cut) + "\n")


def test_libriheavy_cuts_point_to_local_audio(tmp_path: Path, make_cuts: ModuleType) -> None:
    for name, speakers in {"small": ["1", "2"], "dev": ["3"], "test_clean": ["4"]}.items():
        write_manifest(tmp_path / f"libriheavy_cuts_{name}.jsonl.gz", speakers)
    audio = tmp_path / "audio"
    for speaker in ("1", "3", "4"):  # that of speaker 2 is missing
        path = audio / f"small/{speaker}/book/part.flac"
        path.parent.mkdir(parents=True)
        write_audio(path, torch.zeros(32000), 16000)
    inventory = make_cuts.Inventory(audio)
    make_cuts.make_cuts(inventory, tmp_path, "small", tmp_path, 0)
    found = {
        part: read_utterances(tmp_path / f"cuts_{part}.jsonl.gz")
        for part in ("train", "dev", "test")
    }
    assert {part: [u.speaker for u in us] for part, us in found.items()} == {
        "train": ["1"],
        "dev": ["3"],
        "test": ["4"],
    }
    one = found["train"][0]
    assert one.text == "Once upon \u201ca\u201d time."
    assert (one.path, one.start_s) == (audio / "small/1/book/part.flac", 0.5)
    assert (tmp_path / "missing_audio.txt").read_text() == "small/2/book/part.flac\n"
    assert inventory.num_without_audio == 1


def test_libriheavy_without_any_audio_is_refused(tmp_path: Path, make_cuts: ModuleType) -> None:
    write_manifest(tmp_path / "libriheavy_cuts_small.jsonl.gz", ["1"])
    with pytest.raises(DataError, match="have no audio under"):
        make_cuts.make_cuts(make_cuts.Inventory(tmp_path), tmp_path, "small", tmp_path, 0)
    assert not (tmp_path / "cuts_train.jsonl.gz").exists()
    with pytest.raises(DataError, match="libriheavy_cuts_medium"):
        make_cuts.make_cuts(make_cuts.Inventory(tmp_path), tmp_path, "medium", tmp_path, 0)
