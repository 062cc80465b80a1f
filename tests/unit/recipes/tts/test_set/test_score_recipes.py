"""The recipes' scoring of what they made, with metrics that need no model."""

from pathlib import Path

import pytest
import torch

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.core.tensors import make_generator
from latentspeech.data.utterances import Utterance
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.lists import EvalList, ListInfo, ListRow, read_list, write_list
from recipes.codec.check import copy_batch, list_row
from recipes.tts.test_set import score_test
from recipes.tts.test_set import test_items as item_lists
from recipes.tts.test_set.score_parts import parts_table
from recipes.tts.test_set.speaking import Speaking
from recipes.tts.test_set.synthesize_test import speak_test
from tests.tiny_models import SAMPLING, make_model_directory, voice_like


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A synthesis of three utterances, two of which the codec check copied."""
    rows = []
    for number in range(3):
        name = f"s/u{number}"
        clean = voice_like(1.0 + number, seed=number)
        noise = torch.randn(len(clean), generator=make_generator(number, "noise"))
        for kind, level in (("hyp", 0.2), ("ref", 0.0), ("prompt", 0.1), ("codec_prompt", 0.3)):
            path = tmp_path / "synthesis" / kind / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audio(path, (clean + level * noise).clamp(-1, 1), 24000)
        if number < 2:
            copy = tmp_path / "check/hyp" / f"{name}.wav"
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_audio(copy, clean, 24000)
        row = ListRow(
            id=name,
            hypothesis_path=f"hyp/{name}.wav",
            reference_path=f"ref/{name}.wav",
            prompt_path=f"prompt/{name}.wav",
            codec_prompt_path=f"codec_prompt/{name}.wav",
            transcript="one two",
            speaker="s",
            compute_s=0.5,
        )
        rows.append(row)
    write_list(tmp_path / "synthesis/items.jsonl", rows, ListInfo("toy", "all", hardware="here"))
    return tmp_path


def items(folder: Path) -> EvalList:
    return read_list(folder / "synthesis/items.jsonl")


def test_recordings_and_codec_copies_stand_beside_the_synthesis(folder: Path) -> None:
    scorers = make_scorers(["mel", "rtf"])
    reports = score_test.score_all(
        items(folder), {"codec copies": folder / "check/hyp", "none": folder / "no"}, scorers
    )
    assert {kind: len(report.items) for kind, report in reports.items()} == {
        "synthesis": 3,
        "recordings": 3,
        "codec copies": 2,
    }
    spoken, recorded = (reports[kind].metrics for kind in ("synthesis", "recordings"))
    assert spoken[1].value == pytest.approx(1.5 / 6.0)
    assert len(recorded) == 1
    assert recorded[0].value == pytest.approx(0.0, abs=1e-6)  # held against themselves
    assert spoken[0].value is not None
    assert spoken[0].value > 0.5
    lines = score_test.table(reports).splitlines()
    assert lines[0] == "| audio | Mel log10 | RTF s/s | utterances |"
    assert lines[2].endswith("| 0.250 | 3 |")
    assert lines[4].endswith("| none | 2 |")


def test_parts_are_kinds_of_voices_and_lengths(folder: Path) -> None:
    scorers = make_scorers(["mel", "rtf"])
    reports = score_test.score_all(items(folder), {}, scorers)
    kinds = {"s/u0": "human", "s/u1": "synthetic", "s/u2": "synthetic", "s/u9": "made up"}
    lines = parts_table(reports, scorers[-1:], kinds).splitlines()
    assert lines[0] == "| part | utterances | RTF, synthesis | RTF, recordings |"
    # Half a second of computing each, for one, two and three seconds of audio.
    assert lines[2:] == [
        "| human voices | 1 | 0.500 | none |",
        "| synthetic voices | 2 | 0.200 | none |",
        "| up to 5 words | 3 | 0.250 | none |",
    ]


def test_the_default_metrics_are_held_against_what_the_recipe_makes() -> None:
    assert set(score_test.METRICS) == {"wer-w", "sim-ge2e-o", "sim-ge2e-r", "dnsmos"}


def test_what_is_spoken_is_timed_and_kept(tmp_path: Path) -> None:
    from latentspeech.codec.model_directory import load_codec_module
    from latentspeech.eval.protocols.cut_utterances import EvaluationItem
    from latentspeech.tts.synthesizer import Synthesizer

    model = make_model_directory(tmp_path)
    utterances = []
    for number in range(2):
        path = tmp_path / f"{number}.wav"
        write_audio(path, voice_like(1.5, seed=number), 24000)
        utterances.append(Utterance(f"s/{number}", path, 0.0, 1.5, True, "s", "Hello."))
    synthesizer = Synthesizer.from_directory(model)
    out = tmp_path / "out"
    item = EvaluationItem(*utterances)
    test = item_lists.TestItems([item], {"s/0": "female"}, ListInfo("toy", "all"))
    (first,) = speak_test(synthesizer, test, out, Speaking(SAMPLING), 1)
    assert first.compute_s is not None
    assert first.compute_s > 0
    assert (first.prompt_text, first.sex, first.speaker) == ("Hello.", "female", "s")
    assert first.codec_prompt_path == "codec_prompt/s/1.wav"
    for name in (first.hypothesis_path, first.reference_path, first.codec_prompt_path):
        assert (out / str(name)).is_file()
    copy = out / "copy/s/0.wav"
    assert len(load_audio(copy, 24000)) == 1.5 * 24000
    copy.unlink()  # of a folder that was made before there were copies
    before = (out / str(first.hypothesis_path)).stat().st_mtime_ns
    assert speak_test(synthesizer, test, out, Speaking(SAMPLING), 1) == [first]
    assert (out / str(first.hypothesis_path)).stat().st_mtime_ns == before
    assert copy.is_file()
    codec = load_codec_module(model / "codec")
    copy_batch(codec, utterances[:1], tmp_path / "check")
    row = list_row(utterances[0], tmp_path / "check", "male")
    assert (row.hypothesis_path, row.sex) == ("hyp/s/0.wav", "male")
    plain, equalized = (load_audio(p, 24000) for p in (tmp_path / "check/hyp/s/0.wav", copy))
    assert (plain - equalized).norm() > 0.01 * plain.norm()
