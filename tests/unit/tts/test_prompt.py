"""How a recording and its transcript become a voice."""

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentspeech.audio.io import write_audio
from latentspeech.codec.model import Codec
from latentspeech.codec.runtime import TorchCodec
from latentspeech.core.errors import InputError
from latentspeech.tts.prompt import Prompt, encode_prompt, load_voice, save_voice
from tests.tiny_models import CODEC, voice_like

RATE = 24_000


@pytest.fixture(scope="module")
def codec() -> TorchCodec:
    torch.manual_seed(0)
    return TorchCodec(Codec(CODEC).eval())


def encode(
    codec: TorchCodec, path: Path, seconds: float, *values: object, **options: object
) -> Prompt:
    write_audio(path, voice_like(seconds), RATE)
    return encode_prompt(codec, "hash", path, *values, equalizer=False, **options)  # type: ignore[arg-type]


def seconds(prompt: Prompt, codec: TorchCodec) -> float:
    return len(prompt.latents) / codec.config.frame_rate


def test_the_part_that_is_used_is_said(
    codec: TorchCodec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert seconds(encode(codec, tmp_path / "short.wav", 7.0), codec) == pytest.approx(7, abs=0.1)
    assert caplog.messages == []
    assert 6 < seconds(encode(codec, tmp_path / "long.wav", 31.0), codec) < 8.1
    (used,) = caplog.messages
    assert used.startswith("prompt: used ")
    assert used.endswith(" s of 31.0 s")


def test_a_transcript_keeps_all_that_it_says(codec: TorchCodec, tmp_path: Path) -> None:
    told = encode(codec, tmp_path / "a.wav", 20.0, "All of it.")
    assert told.transcript == "All of it."
    assert seconds(told, codec) == pytest.approx(20, abs=0.1)
    with pytest.raises(InputError, match=r"more than 30 s of speech.*leave the transcript out"):
        encode(codec, tmp_path / "a.wav", 40.0, "All of it.")


def test_a_transcript_that_no_one_needs_is_left_out_with_what_it_says(
    codec: TorchCodec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = encode(codec, tmp_path / "a.wav", 7.0, "All of it.", needs_text=False)
    assert kept.transcript == "All of it."
    cut = encode(codec, tmp_path / "a.wav", 20.0, "All of it.", needs_text=False)
    assert cut.transcript is None
    assert seconds(cut, codec) < 8.1
    assert "the transcript is left out" in caplog.text


def test_only_the_part_that_is_used_is_heard(codec: TorchCodec, tmp_path: Path) -> None:
    def hear(audio: Tensor, sample_rate: int) -> str:
        return f"{len(audio) / sample_rate:.0f} s"

    assert encode(codec, tmp_path / "a.wav", 20.0, hear=hear).transcript in ("7 s", "8 s")
    assert encode(codec, tmp_path / "a.wav", 3.0, "Told.", hear=hear).transcript == "Told."


def test_recordings_and_voice_files_name_the_other_option(
    codec: TorchCodec, tmp_path: Path
) -> None:
    recording, voice = tmp_path / "x.wav", tmp_path / "v.safetensors"
    save_voice(encode(codec, recording, 2.0), voice)
    with pytest.raises(InputError, match=r"x.wav is a recording, .* as --prompt .*x.wav"):
        load_voice(recording)
    with pytest.raises(InputError, match=r"v.safetensors is a voice file, .* as --voice .*v.safe"):
        encode_prompt(codec, "hash", voice)
