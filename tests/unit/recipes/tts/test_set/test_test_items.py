"""What is tested on, in both settings, and the continuation of a recording."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.data.cuts import cuts_from_manifest, write_cuts
from latentspeech.data.manifest import CorpusUtterance
from latentspeech.data.utterances import Utterance
from latentspeech.eval.protocols.cut_utterances import EvaluationItem
from latentspeech.eval.scoring.lists import ListInfo
from latentspeech.text.normalizer import normalize
from latentspeech.tts.continuation import Beginning, continue_latents
from latentspeech.tts.length_guard import AS_IN_THE_PAPER, STREAMED, LengthGuard
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.synthesizer import Synthesizer
from recipes.tts.test_set import test_items as item_lists
from recipes.tts.test_set.speaking import Speaking
from recipes.tts.test_set.synthesize_test import speak_test
from recipes.tts.test_set.test_items import (
    first_seconds,
    held_out_items,
    librispeech_items,
    libritts_items,
)
from tests.published_layouts import librispeech, libritts, speech_path
from tests.tiny_models import SAMPLING, make_model_directory, voice_like


def test_librispeech_in_both_settings(tmp_path: Path) -> None:
    corpus = librispeech(tmp_path)
    for setting in ("reference", "prefix"):
        found = librispeech_items(corpus, setting, 0)  # type: ignore[arg-type]
        assert found.info.protocol == f"librispeech-4-10/{setting}"
        assert "held-out" not in found.info.rule
        for target, prompt in found.items:
            assert 4 <= target.duration_s <= 10
            assert target.path == speech_path(corpus, target.id).resolve()
            assert (prompt.id == target.id) == (setting == "prefix")
            assert setting == "reference" or (prompt.duration_s, prompt.start_s) == (3.0, 0.0)
    few = librispeech_items(corpus, "reference", 2)
    assert [item.target.speaker for item in few.items] == ["61", "908"]
    assert "2 of its 5, speakers in turn" in few.info.rule


def test_libritts_for_codecs_names_what_is_missing(tmp_path: Path) -> None:
    found = libritts_items(libritts(tmp_path), 0, 0)
    assert found.info.protocol == "libritts-test-other"
    assert len(found.targets) == 7
    assert len(found.info.left_out) == 1
    part = libritts_items(tmp_path / "LibriTTS", 3, 1)
    assert len(part.targets) + len(part.info.left_out) == 3


def test_texts_that_were_taught_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "u.wav"
    write_audio(path, voice_like(2.0), 24000)
    said = {"test": ["Said by none.", "Said by all.", "And so on."], "train": ["said, by ALL"]}
    for part, texts in said.items():
        utterances = [
            CorpusUtterance(f"{part}{i}", "u.wav", part, text, "made", "any", 2.0)
            for i, text in enumerate(texts)
        ]
        write_cuts(cuts_from_manifest(utterances, tmp_path), tmp_path / f"{part}.jsonl.gz")
    test, train = tmp_path / "test.jsonl.gz", tmp_path / "train.jsonl.gz"
    assert len(held_out_items(test, "reference", 0).items) == 3
    kept = held_out_items(test, "reference", 5, train)
    assert [item.target.text for item in kept.items] == ["Said by none.", "And so on."]
    assert kept.items[1].prompt.text == "Said by all."
    assert len(held_out_items(test, "reference", 1, train).items) == 1
    assert "left out" in kept.info.rule
    with pytest.raises(DataError, match="give other cuts"):
        held_out_items(test, "reference", 0, test)


def continued_items(folder: Path) -> item_lists.TestItems:
    texts = ["Going on from what was said so far.", "And this.", "A third one, which is longer."]
    items = []
    for number, text in enumerate(texts):
        path = folder / f"u{number}.wav"
        write_audio(path, voice_like(4.0 + number, seed=number), 24000)
        target = Utterance(f"s/u{number}", path, 0.0, 4.0 + number, True, "s", text)
        items.append(EvaluationItem(target, first_seconds(target)))
    return item_lists.TestItems(items, {}, ListInfo("toy", "three"))


def test_a_continuation_begins_with_the_recording(tmp_path: Path) -> None:
    synthesizer = Synthesizer.from_directory(make_model_directory(tmp_path))
    test = continued_items(tmp_path)
    out = tmp_path / "out"
    speaking = Speaking(SAMPLING, guard=AS_IN_THE_PAPER, equalizer=False, setting="prefix")
    row = speak_test(synthesizer, test, out, speaking, 1)[0]
    assert (row.prefix_s, row.prompt_path) == (3.0, "prompt/s/u0.wav")
    spoken = load_audio(out / str(row.hypothesis_path), 24000)
    codec = synthesizer.model.codec
    hop = codec.config.hop_length
    given = 3 * 24000 // hop
    assert len(spoken) > given * hop
    recording = load_audio(test.items[0].target.path, 24000)
    copy = torch.from_numpy(codec.decode(codec.encode(recording[None, : given * hop].numpy()))[0])
    # The decoder is causal, so the given seconds sound as their copy alone does.
    torch.testing.assert_close(spoken[: given * hop], copy.clamp(-1, 1), atol=1e-4, rtol=0)
    # In this project's way they go through the equalizer too.
    ours = replace(speaking, guard=LengthGuard(), equalizer=True)
    equalized = speak_test(synthesizer, test, tmp_path / "ours", ours, 1)[0]
    heard = load_audio(tmp_path / "ours" / str(equalized.hypothesis_path), 24000)
    assert (heard[: given * hop] - copy).norm() > 0.01 * copy.norm()
    assert speaking.key(tmp_path / "model") != ours.key(tmp_path / "model")


@pytest.mark.parametrize("setting", ["reference", "prefix"])
def test_what_is_spoken_does_not_depend_on_the_batch_and_goes_on_after_a_kill(
    tmp_path: Path, setting: Any
) -> None:
    synthesizer = Synthesizer.from_directory(make_model_directory(tmp_path))
    test = continued_items(tmp_path)
    speaking = Speaking(SAMPLING, guard=AS_IN_THE_PAPER, equalizer=False, setting=setting)
    spoken = []
    for size in (1, 2, 3):
        out = tmp_path / f"by{size}"
        rows = speak_test(synthesizer, test, out, speaking, size)
        spoken.append([load_audio(out / str(row.hypothesis_path), 24000) for row in rows])
    for alone, *others in zip(*spoken, strict=True):
        for together in others:
            assert together.shape == alone.shape
            assert float((together - alone).norm() / alone.norm()) < 1e-2
    out = tmp_path / "by3"
    gone = out / "hyp/s/u1.wav"
    stamps = {path: path.stat().st_mtime_ns for path in (out / "hyp").rglob("*.wav")}
    gone.unlink()
    speak_test(synthesizer, test, out, speaking, 3)
    changed = [p for p in (out / "hyp").rglob("*.wav") if p.stat().st_mtime_ns != stamps[p]]
    assert changed == [gone]


def test_the_rule_says_how_it_was_spoken() -> None:
    paper = Speaking(
        SamplingConfig(cfg_scale=4.0, num_steps=5), guard=AS_IN_THE_PAPER, equalizer=False
    )
    rule = paper.rule("small letters")
    for part in (
        "spoken without this project's additions; one draw, no retries",
        "no shortest length",
        "no equalizer",
        "CFG scale 4, 5 steps of dpm_solver_pp_2m, noise 1",
        "guidance away from no text and no prompt",
        "a sentence above 200 characters in pieces with 0.15 s of pause",
        "text: small letters",
    ):
        assert part in rule
    continued = replace(paper, setting="prefix").rule("small letters")
    assert "guidance away from the given latents without the text" in continued
    assert "in pieces" not in continued
    assert "transcript" not in continued
    assert "prompts with their transcript" in rule
    ours = replace(paper, guard=LengthGuard(), equalizer=True).rule("phonemes")
    for part in (
        "spoken in this project's way; at most 2 retries",
        "at least 0.025 s a character",
        "the voice's equalizer behind the codec",
        "text: phonemes",
    ):
        assert part in ours
    for changed in (replace(paper, equalizer=True), replace(paper, guard=STREAMED)):
        assert "without this project" not in changed.rule("phonemes")


def test_without_a_shortest_length_the_model_may_end_at_once(tmp_path: Path) -> None:
    synthesizer = Synthesizer.from_directory(make_model_directory(tmp_path))
    at_once = SamplingConfig(num_steps=1, stop_bias=1e9)
    text = "A sentence that takes three seconds or so, if it is said in full."
    voice = Prompt(np.zeros((10, 4), dtype=np.float32), None, "")
    lengths = [
        len(synthesizer.write_latents([text], [voice], [0], at_once, guard)[0].latents)
        for guard in (AS_IN_THE_PAPER, STREAMED)
    ]
    assert lengths[0] == 1
    assert lengths[1] == math.floor(0.025 * len(text) * 15)
    given = Beginning(normalize(text), np.zeros((5, 4), dtype=np.float32), 0)
    continued = continue_latents(synthesizer.model, [given], at_once, AS_IN_THE_PAPER)
    assert len(continued[0].latents) == 6


def test_what_cannot_be_continued_is_refused(tmp_path: Path) -> None:
    (tmp_path / "aligned").mkdir()
    given = np.zeros((10, 4), dtype=np.float32)
    text = normalize("Hello.")
    aligned = Synthesizer.from_directory(make_model_directory(tmp_path / "aligned", "aligned"))
    with pytest.raises(ConfigError, match="'aligned' cannot continue"):
        continue_latents(aligned.model, [Beginning(text, given, 0)], SAMPLING, STREAMED)
    plain = Synthesizer.from_directory(make_model_directory(tmp_path))
    for wrong in (given[:0], np.zeros((10_000, 4), dtype=np.float32)):
        with pytest.raises(InputError, match="are given"):
            continue_latents(plain.model, [Beginning(text, wrong, 0)], SAMPLING, STREAMED)
