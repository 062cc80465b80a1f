"""What is tested on, in both settings, and the continuation of a recording."""

from pathlib import Path

import pytest
import torch

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.data.cuts import cuts_from_manifest, write_cuts
from latentspeech.data.manifest import CorpusUtterance
from latentspeech.data.utterances import Utterance
from latentspeech.eval.protocols.cut_utterances import EvaluationItem
from latentspeech.tts.continuation import continue_latents
from latentspeech.tts.synthesizer import Synthesizer
from recipes.tts.synthesize_test import Speaking, speak_item
from recipes.tts.test_items import first_seconds, held_out_items, librispeech_items, libritts_items
from tests.published_layouts import librispeech, libritts, speech_path
from tests.tiny_models import make_model_directory, voice_like


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


def test_a_continuation_begins_with_the_recording(tmp_path: Path) -> None:
    synthesizer = Synthesizer.from_directory(make_model_directory(tmp_path))
    path = tmp_path / "u.wav"
    write_audio(path, voice_like(5.0), 24000)
    target = Utterance("s/u", path, 0.0, 5.0, True, "s", "Going on from what was said so far.")
    item = EvaluationItem(target, first_seconds(target))
    out = tmp_path / "out"
    row = speak_item(synthesizer, item, out, Speaking(setting="prefix"))
    assert (row.prefix_s, row.prompt_path) == (3.0, "prompt/s/u.wav")
    spoken = load_audio(out / str(row.hypothesis_path), 24000)
    codec = synthesizer.model.codec
    hop = codec.config.hop_length
    given = 3 * 24000 // hop
    assert len(spoken) > given * hop
    with torch.inference_mode():
        means = codec.encode(load_audio(path, 24000)[None, : given * hop])
        copy = codec.decode(means)[0]
    # The decoder is causal, so the given seconds sound as their copy alone does.
    torch.testing.assert_close(spoken[: given * hop], copy.clamp(-1, 1).cpu(), atol=1e-4, rtol=0)
    key = Speaking(setting="prefix").key(tmp_path / "model")
    assert key != Speaking().key(tmp_path / "model")


def test_what_cannot_be_continued_is_refused(tmp_path: Path) -> None:
    (tmp_path / "aligned").mkdir()
    given = torch.zeros(10, 4)
    aligned = Synthesizer.from_directory(make_model_directory(tmp_path / "aligned", "aligned"))
    with pytest.raises(ConfigError, match="'aligned' cannot continue"):
        continue_latents(aligned.model, "Hello.", given, 0, SamplingConfig(), 0)
    plain = Synthesizer.from_directory(make_model_directory(tmp_path))
    for wrong in (given[:0], torch.zeros(10_000, 4)):
        with pytest.raises(InputError, match="are given"):
            continue_latents(plain.model, "Hello.", wrong, 0, SamplingConfig(), 0)
