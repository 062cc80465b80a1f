"""The codec's commands: the codec that ships, one inside a TTS model, further decoders."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from latentspeech import model_names
from latentspeech.audio.io import load_audio, write_audio
from latentspeech.audio.pcm import decode_pcm
from latentspeech.cli import codec_stream
from latentspeech.model_names import MODEL_VARIABLE
from tests.cli_runner import latentspeech
from tests.tiny_codec import make_codec_directory
from tests.tiny_models import make_model_directory, voice_like
from tests.unit.cli.test_bad_input import assert_refused


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "ref.wav"
    write_audio(path, voice_like(1.5), 24_000)
    return path


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose only model is a tiny codec."""
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setattr(model_names, "MODELS_FOLDER", folder)
    return make_codec_directory(folder)


def test_the_codec_that_ships_needs_no_option(shipped: Path, recording: Path) -> None:
    folder = recording.parent
    for command in (
        ["encode", recording, folder / "z.safetensors"],
        ["decode", folder / "z.safetensors", folder / "own.wav"],
        ["decode", folder / "z.safetensors", folder / "other.wav", "--decoder", "mirrored"],
        ["reconstruct", recording, folder / "copy.wav", "--decoder", "mirrored"],
    ):
        result = latentspeech("codec", *command, "--quiet")
        assert result.returncode == 0, result.stderr
    own, other, copy = (load_audio(folder / f"{name}.wav") for name in ("own", "other", "copy"))
    assert len(own) == len(other) == len(copy) == 36_000
    assert torch.equal(other, copy)
    assert not torch.allclose(own, other, atol=1e-2)
    exported = latentspeech("voice", "export", recording, folder / "me.safetensors", "--json")
    assert exported.returncode == 0, exported.stderr
    refused = latentspeech(
        "synth", "--prompt", recording, "--text", "Hello.", "--out", folder / "s.wav"
    )
    assert_refused(refused, "no model given", "LATENTSPEECH_MODEL")
    spoken = latentspeech(
        *("synth", "--model", "codec", "--prompt", recording, "--text", "Hello."),
        *("--out", folder / "s.wav"),
    )
    assert_refused(spoken, "kind 'codec'", "expected 'tts'")


@pytest.mark.parametrize(
    "command",
    [
        ["decode", "z.safetensors", "out.wav"],
        ["reconstruct", "ref.wav", "out.wav"],
        ["stream", "decode"],
        ["stream", "roundtrip"],
    ],
    ids=" ".join,
)
def test_an_unknown_decoder_is_one_clear_line(
    command: list[str], shipped: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recording.parent)
    result = latentspeech("codec", *command, "--decoder", "huge")
    assert_refused(result, "no further decoder 'huge'", "it has mirrored")
    assert not Path("out.wav").exists()


def test_without_any_codec_the_error_says_what_to_do(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    monkeypatch.setattr(model_names, "MODELS_FOLDER", tmp_path / "empty")
    result = latentspeech("codec", "reconstruct", recording, tmp_path / "out.wav")
    assert_refused(result, "no codec is installed", "--model DIR")
    assert b"egs/mini/run.sh" in latentspeech("models").stdout


def test_pipes_decode_with_the_named_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_codec_directory(tmp_path)
    pcm = voice_like(0.5).numpy().astype("<f4").tobytes()

    def stream(command: str, given: bytes, *options: str) -> bytes:
        monkeypatch.setattr(codec_stream, "_chunks", lambda: iter([given[:5000], given[5000:]]))
        every = ("--model", model, "--format", "float32", *options)
        result = latentspeech("codec", "stream", command, *every)
        assert result.returncode == 0, result.stderr
        return result.stdout

    latents = stream("encode", pcm)
    own = stream("decode", latents)
    other = stream("decode", latents, "--decoder", "mirrored")
    assert len(own) == len(other) == 4 * 8 * 1600
    assert other == stream("roundtrip", pcm, "--decoder", "mirrored")
    assert other != own
    assert np.isfinite(decode_pcm(own, "float32")[0]).all()


def test_models_lists_codecs_and_speakers_alike(shipped: Path, tmp_path: Path) -> None:
    speaker = make_model_directory(tmp_path)
    (codec,) = json.loads(latentspeech("models", "--json").stdout)
    assert codec["name"] == codec["kind"] == "codec"
    assert codec["decoders"] == ["mirrored"]
    rates = {"sample_rate_hz": 24_000, "frame_rate_hz": 15.0, "latent_dim": 4}
    assert codec | rates == codec
    files = [path for path in shipped.rglob("*") if path.is_file()]
    assert codec["size_bytes"] == sum(path.stat().st_size for path in files)
    rows = json.loads(latentspeech("models", "codec", speaker, "--json").stdout)
    assert [row["kind"] for row in rows] == ["codec", "tts"]
    assert rows[1] | rates | {"layers": 2, "model_dim": 16} == rows[1]
    lines = latentspeech("models", "codec", speaker).stdout.decode().splitlines()
    assert len(lines) == 2
    for fragment in ("24000 Hz", "15 x 4 latents/s", "further decoders: mirrored", "0.1 MB"):
        assert fragment in lines[0]
    assert "2 x 16" in lines[1]


def test_models_refuses_what_is_none(shipped: Path, tmp_path: Path) -> None:
    assert_refused(latentspeech("models", tmp_path / "nowhere"), "no model directory")
    decoder = shipped / "decoders" / "mirrored"
    assert_refused(latentspeech("models", decoder), "kind 'codec_decoder'")


def test_latents_of_another_codec_are_refused(shipped: Path, recording: Path) -> None:
    folder = recording.parent
    latents = folder / "z.safetensors"
    assert latentspeech("codec", "encode", recording, latents).returncode == 0
    (folder / "other").mkdir()
    model = make_model_directory(folder / "other")
    result = latentspeech("codec", "decode", latents, folder / "out.wav", "--model", model)
    assert_refused(result, "use the model that encoded it")


def test_decoding_a_recording_names_the_command_that_makes_latents(tmp_path: Path) -> None:
    recording = tmp_path / "ref.wav"
    write_audio(recording, voice_like(1.0), 24_000)
    result = latentspeech("codec", "decode", recording, tmp_path / "out.wav")
    assert_refused(result, "is a recording and holds no latents", "codec encode")
