"""What the commands do when all is well."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from latentspeech.audio.io import audio_duration_s, write_audio
from tests.cli_runner import latentspeech
from tests.tiny_models import make_model_directory, voice_like


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_directory(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "ref.wav"
    write_audio(path, voice_like(1.5), 24_000)
    return path


def test_models_describes_a_directory(model: Path) -> None:
    (row,) = json.loads(latentspeech("models", model, "--json").stdout)
    assert (row["layers"], row["model_dim"]) == (2, 16)
    assert b"16" in latentspeech("models", model).stdout


def test_synth_reports_json_and_is_repeatable(model: Path, recording: Path) -> None:
    files = [recording.parent / name for name in ("a.wav", "b.wav", "c.wav")]
    for path, seed in zip(files, (1, 1, 2), strict=True):
        result = latentspeech(
            *("synth", "--model", model, "--prompt", recording, "--text", "Hello there."),
            *("--seed", seed, "--out", path, "--json"),
        )
        assert result.returncode == 0, result.stderr
        report = json.loads(result.stdout)
        assert report["seed"] == seed
        assert report["duration_s"] == pytest.approx(audio_duration_s(path), abs=1e-3)
    first, again, other = (path.read_bytes() for path in files)
    assert first == again != other


def test_synth_writes_out_wav_into_the_current_folder(
    model: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recording.parent)
    arguments = ("--model", model, "--prompt", recording, "--text", "Hello there.")
    for _ in range(2):  # the second replaces the file
        result = latentspeech("synth", *arguments)
        assert result.returncode == 0, result.stderr
        assert result.stderr.decode().splitlines()[-1].startswith("out.wav: ")
    before = Path("out.wav").stat().st_mtime_ns
    audio = Path("out.wav").read_bytes()
    named = latentspeech("synth", *arguments, "--out", "named.wav", "--json")
    assert json.loads(named.stdout)["out"] == "named.wav"
    assert Path("named.wav").read_bytes() == audio
    streamed = latentspeech("synth", *arguments, "--stream")
    assert streamed.stdout[:4] == b"RIFF"
    assert Path("out.wav").stat().st_mtime_ns == before


def test_synth_samples_as_the_model_directory_says(
    model: Path, recording: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(model, other)
    path = other / "config.yaml"
    description = yaml.safe_load(path.read_text())
    description["config"]["sampling"] |= {"cfg_scale": 3.5, "num_steps": 1, "noise_scale": 0.9}
    path.write_text(yaml.safe_dump(description))

    def speak(directory: Path, *options: str) -> bytes:
        out = tmp_path / "spoken.wav"
        arguments = ("--prompt", recording, "--text", "Hello there.", "--out", out)
        result = latentspeech("synth", "--model", directory, *arguments, *options)
        assert result.returncode == 0, result.stderr
        return out.read_bytes()

    own = speak(other)
    given = ("--cfg-scale", "3.5", "--num-steps", "1", "--noise-scale", "0.9")
    assert own == speak(model, *given)
    assert own != speak(model)
    assert own != speak(other, "--no-equalizer")


def test_voice_export_and_use(model: Path, recording: Path) -> None:
    voice = recording.parent / "me.safetensors"
    exported = latentspeech("voice", "export", recording, voice, "--model", model, "--quiet")
    assert exported.returncode == 0
    assert exported.stderr == b""
    spoken = [recording.parent / name for name in ("prompt.wav", "voice.wav")]
    for options, path in zip((["--prompt", recording], ["--voice", voice]), spoken, strict=True):
        result = latentspeech(
            "synth", "--model", model, "--text", "Hello.", "--out", path, *options
        )
        assert result.returncode == 0, result.stderr
    assert spoken[0].read_bytes() == spoken[1].read_bytes()


def test_score_of_a_file_with_itself(recording: Path) -> None:
    pytest.importorskip("pystoi")
    result = latentspeech(
        "score", "--ref", recording, "--hyp", recording, "--metrics", "stoi,mel", "--json"
    )
    assert result.returncode == 0, result.stderr
    values = {row["name"]: row["value"] for row in json.loads(result.stdout)["metrics"]}
    assert values["STOI"] == pytest.approx(1.0, abs=1e-4)
    assert values["Mel"] == pytest.approx(0.0, abs=1e-6)


def test_score_names_the_bad_file_and_goes_on(recording: Path) -> None:
    pytest.importorskip("pystoi")
    folder = recording.parent / "hyp"
    folder.mkdir()
    originals = recording.parent / "ref"
    originals.mkdir()
    for name in ("good.wav", "bad.wav"):
        (originals / name).write_bytes(recording.read_bytes())
    (folder / "good.wav").write_bytes(recording.read_bytes())
    (folder / "bad.wav").write_text("no audio")
    result = latentspeech("score", "--ref", originals, "--hyp", folder, "--metrics", "mel")
    assert result.returncode == 1
    assert b"bad" in result.stdout
    assert b"Mel" in result.stdout


def test_help_lists_the_commands() -> None:
    text = latentspeech("--help").stdout.decode()
    for name in ("synth", "codec", "voice", "train", "score", "models"):
        assert name in text
