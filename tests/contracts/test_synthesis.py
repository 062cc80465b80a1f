"""Streamed speech equals offline speech, a batch equals singles, a seed means one result."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import latentspeech
from latentspeech.audio.io import write_audio
from latentspeech.codec import model_directory as codec_directory
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.model_names import MODELS_FOLDER
from latentspeech.text.normalizer import normalize, normalizer
from latentspeech.tts import retries
from latentspeech.tts.equalizer import Equalizer
from latentspeech.tts.latent_writer import Sentence, write
from latentspeech.tts.length_guard import STREAMED, LengthGuard
from latentspeech.tts.prompt import Prompt, save_voice
from latentspeech.tts.synthesizer import Latents, Synthesizer
from tests.tiny_models import make_model_directory, voice_like

TEXT = "One two three. Four, five! And six?"


@pytest.fixture(
    scope="module",
    params=[("sentence", None), ("aligned", None), ("aligned", "torch")],
    ids=["sentence", "aligned", "aligned-torch"],
)
def speaker(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Synthesizer:
    layout, runtime = request.param
    directory = make_model_directory(tmp_path_factory.mktemp("tiny"), layout)
    return latentspeech.load(directory, runtime=runtime)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "ref.wav"
    write_audio(path, voice_like(2.0), 24_000)
    return path


@pytest.mark.parametrize("chunk_frames", [1, 2, 7, 10_000])
@pytest.mark.parametrize(("cfg_scale", "num_retries"), [(1.0, 0), (2.5, 0), (1.0, 2)])
def test_streamed_equals_offline(
    speaker: Synthesizer, recording: Path, chunk_frames: int, cfg_scale: float, num_retries: int
) -> None:
    sampling = SamplingConfig(cfg_scale=cfg_scale, num_steps=2)
    guard = LengthGuard(retries=num_retries)
    whole = speaker.synthesize(TEXT, recording, 3, sampling, guard)
    chunks = list(speaker.stream(TEXT, recording, 3, sampling, chunk_frames, guard))
    streamed = np.concatenate(chunks)
    assert streamed.shape == whole.samples.shape
    error = np.linalg.norm(streamed - whole.samples) / np.linalg.norm(whole.samples)
    assert error < 1e-4
    assert chunk_frames > 100 or len(chunks) > 3


def test_a_seed_means_one_result(speaker: Synthesizer, recording: Path) -> None:
    first, again = (speaker.synthesize("Hello there.", recording, seed=7) for _ in range(2))
    other = speaker.synthesize("Hello there.", recording, seed=8)
    assert np.array_equal(first.samples, again.samples)
    length = min(len(first.samples), len(other.samples))
    assert not np.allclose(first.samples[:length], other.samples[:length])


def test_batch_equals_singles(speaker: Synthesizer, recording: Path) -> None:
    texts = ["Short.", TEXT, "A middle one, of some words."]
    together = speaker.synthesize_batch(texts, [recording] * 3, [1, 2, 3])
    for text, seed, audio in zip(texts, [1, 2, 3], together, strict=True):
        alone = speaker.synthesize(text, recording, seed=seed)
        assert alone.samples.shape == audio.samples.shape
        assert np.linalg.norm(alone.samples - audio.samples) < 1e-3 * np.linalg.norm(alone.samples)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_files_say_that_they_are_synthetic(
    speaker: Synthesizer, recording: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    speaker.synthesize("Hello.", recording).save(path)
    with soundfile.SoundFile(path) as file:
        assert "synthetic speech, made by latentspeech" in file.comment


def test_voice_file_speaks_like_its_recording(
    speaker: Synthesizer, recording: Path, tmp_path: Path
) -> None:
    path = tmp_path / "voice.safetensors"
    prompt = speaker.prompt(recording, "some words")
    save_voice(prompt, path)
    assert speaker.voice(path).transcript == "some words"
    direct = speaker.synthesize("Hello.", prompt, seed=1)
    assert np.array_equal(speaker.synthesize("Hello.", path, seed=1).samples, direct.samples)


def test_what_the_codec_colours_is_undone_in_everything_spoken(
    speaker: Synthesizer, recording: Path, tmp_path: Path
) -> None:
    """By one filter over each sentence; a voice file made before it was there has none."""
    gains = np.linspace(-0.5, 0.5, 401, dtype=np.float32)
    prompt = dataclasses.replace(speaker.prompt(recording), log_gains=gains)
    plain = dataclasses.replace(prompt, log_gains=None)
    without = speaker.synthesize("Hello.", plain, seed=1, guard=STREAMED).samples
    expected = np.clip(Equalizer(gains)(without[None])[0], -1, 1)
    whole = speaker.synthesize("Hello.", prompt, seed=1, guard=STREAMED).samples
    np.testing.assert_allclose(whole, expected, rtol=0, atol=1e-5)
    streamed = np.concatenate(list(speaker.stream("Hello.", prompt, seed=1, chunk_frames=2)))
    np.testing.assert_allclose(streamed, whole, rtol=0, atol=1e-4)

    save_voice(plain, tmp_path / "plain.safetensors")
    assert speaker.voice(tmp_path / "plain.safetensors").log_gains is None
    save_voice(prompt, tmp_path / "voice.safetensors")
    found = speaker.voice(tmp_path / "voice.safetensors").log_gains
    assert found is not None
    assert np.array_equal(found, gains)


@pytest.mark.slow
def test_ten_kilobytes_of_text_stream_in_pieces(speaker: Synthesizer, recording: Path) -> None:
    text = "This sentence is said again and again, number 12 of many. " * 180
    assert len(text) > 10_000
    pieces = speaker.stream(text, recording, sampling=SamplingConfig(num_steps=1))
    seconds = 0.0
    for piece in pieces:
        seconds += len(piece) / speaker.sample_rate
        if seconds > 60:
            break
    assert seconds > 60


@pytest.mark.parametrize("text", ["", "   \n", "...!?", "\u200b"])
def test_nothing_to_speak_says_so(speaker: Synthesizer, recording: Path, text: str) -> None:
    with pytest.raises(InputError, match="nothing to speak"):
        speaker.synthesize(text, recording)


def test_voice_of_another_codec_is_refused(
    speaker: Synthesizer, recording: Path, tmp_path: Path
) -> None:
    prompt = speaker.prompt(recording)
    path = tmp_path / "other.safetensors"
    save_voice(type(prompt)(prompt.latents, None, "0123456789abcdef"), path)
    with pytest.raises(CheckpointError, match="exported with codec 0123456789abcdef"):
        speaker.voice(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(CheckpointError, match="truncated or not a voice file"):
        speaker.voice(path)


@pytest.mark.parametrize(("seconds", "length"), [(0.2, "0.20 s"), (601.0, "601.00 s")])
def test_prompts_of_the_wrong_length_are_refused(
    speaker: Synthesizer, tmp_path: Path, seconds: float, length: str
) -> None:
    path = tmp_path / "ref.wav"
    write_audio(path, torch.zeros(int(seconds * 24_000)), 24_000)
    with pytest.raises(InputError, match=length):
        speaker.prompt(path)


def test_silent_prompt_is_refused(speaker: Synthesizer, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    write_audio(path, torch.zeros(24_000), 24_000)
    with pytest.raises(InputError, match="silen"):
        speaker.prompt(path)


def test_a_runaway_is_cut_and_named(
    speaker: Synthesizer, recording: Path, caplog: pytest.LogCaptureFixture
) -> None:
    never = SamplingConfig(num_steps=1, stop_bias=-1e9)
    audio = speaker.synthesize("Yes.", recording, sampling=never)
    assert audio.duration_s < 4
    assert "did not stop" in caplog.text
    caplog.clear()
    at_once = SamplingConfig(num_steps=1, stop_bias=1e9)
    assert speaker.synthesize("Yes.", recording, sampling=at_once).duration_s < 0.5
    assert "did not stop" not in caplog.text


def test_a_sentence_that_came_out_wrong_is_written_again(
    speaker: Synthesizer, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = speaker.prompt(recording)
    sentences = [
        Sentence(normalize("One two."), voice, 1),
        Sentence(normalize("Three four."), voice, 2),
    ]
    sampling = SamplingConfig(num_steps=1, stop_bias=1.0)
    first = [write(speaker.model, [one], sampling, retries=0)[0].latents for one in sentences]
    verdicts = iter([True, False, True])  # the second is refused once
    monkeypatch.setattr(retries, "is_plausible", lambda text, seconds: next(verdicts))
    kept, again = (one.latents for one in write(speaker.model, sentences, sampling, retries=2))
    assert not list(verdicts)
    assert np.allclose(kept, first[0], rtol=1e-3, atol=1e-4)
    assert not np.allclose(again[:1], first[1][:1], rtol=1e-2)


def test_retries_end_with_a_warning(
    speaker: Synthesizer, recording: Path, caplog: pytest.LogCaptureFixture
) -> None:
    never = SamplingConfig(num_steps=1, stop_bias=-1e9)
    written = speaker.write_latents(["Yes."], [recording], [0], never, LengthGuard())
    assert written[0].truncated
    assert "in 3 attempts: 'Yes.'" in caplog.text


def test_long_prompts_are_heard_in_part_and_the_sentence_before_behind_them(
    tmp_path: Path, recording: Path
) -> None:
    speaker = latentspeech.load(make_model_directory(tmp_path, "aligned", max_prompt_s=1.0))
    whole = speaker.prompt(recording)
    before = whole.latents[20:]

    def latents(heard: Latents, before: Latents | None = None) -> Latents:
        sentence = Sentence(normalize("One."), Prompt(heard, None, whole.codec_hash), 1, before)
        return write(speaker.model, [sentence], SamplingConfig(num_steps=1), 0)[0].latents

    assert len(whole.latents) == 30
    assert np.array_equal(latents(whole.latents), latents(whole.latents[:15]))
    joined = np.concatenate((whole.latents[:8], before[-7:]))
    assert np.array_equal(latents(whole.latents, before), latents(joined))


def test_a_text_is_normalised_once_whatever_becomes_of_it(
    speaker: Synthesizer, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    rules = (lambda text: (passes.append(text), text)[1], *normalizer.RULES)
    monkeypatch.setattr(normalizer, "RULES", rules)
    speaker.synthesize(TEXT, recording, sampling=SamplingConfig(num_steps=1), guard=STREAMED)
    assert passes == [TEXT]


def test_case_lower_reads_transcripts_in_capitals_as_others(
    tmp_path: Path, recording: Path
) -> None:
    """Those of prompts too, as LibriSpeech has them."""
    text, said = "Mister John met Doctor B", "Saint Paul is near"
    for case in ("keep", "lower"):
        folder = tmp_path / case
        folder.mkdir()
        model = latentspeech.load(make_model_directory(folder, case=case), runtime="torch")

        def latents(text: str, transcript: str, model: Synthesizer = model) -> Latents:
            voice = model.prompt(recording, transcript, equalizer=False)
            return model.write_latents([text], [voice], [1])[0].latents

        plain = latents(text, said)
        for other in ((text.upper(), said), (text, said.upper())):
            found = latents(*other)
            is_same = found.shape == plain.shape and np.array_equal(found, plain)
            assert is_same == (case == "lower")


def test_a_prompt_without_equalizer_is_spoken_in_without(
    speaker: Synthesizer, recording: Path
) -> None:
    plain = speaker.prompt(recording, equalizer=False)
    assert plain.log_gains is None
    assert speaker.prompt(recording).log_gains is not None
    latents = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    copy = np.clip(speaker.model.codec.decode(latents[None])[0], -1, 1)
    assert np.array_equal(speaker.decode(latents, plain), copy)


def test_a_model_without_codec_takes_the_one_that_ships(
    speaker: Synthesizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model_directory(tmp_path)
    shutil.rmtree(model / "codec")
    with pytest.raises(CheckpointError, match="not the one that ships"):
        latentspeech.load(model)
    shipped = {"codec": tmp_path / "codec"}
    monkeypatch.setattr(codec_directory, "builtin_models", lambda: shipped)
    loaded = latentspeech.load(model).model
    assert loaded.codec_hash == codec_directory.codec_hash(tmp_path / "codec")
    shutil.copytree(MODELS_FOLDER / "codec", model / "codec")
    with pytest.raises(CheckpointError, match="trained on latents of codec"):
        latentspeech.load(model)


def test_settings_that_give_no_speech_are_refused(speaker: Synthesizer, recording: Path) -> None:
    sampling = SamplingConfig(cfg_scale=1000)
    with pytest.raises(ValueError, match=r"cfg_scale is 1000; expected 0\.5 to 8"):
        speaker.synthesize("Hello.", recording, sampling=sampling)
    with pytest.raises(ValueError, match="cfg_scale is 1000"):
        next(speaker.stream("Hello.", recording, sampling=sampling))
    with pytest.raises(ValueError, match="cfg_scale is 1000"):
        speaker.write_latents(["Hello."], [recording], [0], sampling)
