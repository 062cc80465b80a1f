"""Speaking and coding need no torch: it is not imported, and they run where it cannot be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from latentspeech.audio.io import write_audio
from tests.cli_runner import latentspeech
from tests.tiny_models import make_model_directory, voice_like

# Arguments: what is blocked, and commands in JSON.
PROGRAM = """
import json, sys

blocked = sys.argv[1].split()


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ImportError(f"{name} is blocked")


sys.meta_path.insert(0, Blocker())
from latentspeech.cli.main import run

for command in json.loads(sys.argv[2]):
    sys.argv = ["latentspeech", *command]
    try:
        run()
    except SystemExit as stop:
        assert not stop.code, command
    loaded = {name.split(".")[0] for name in sys.modules} & {"torch", "torchaudio", "onnx"}
    assert not loaded, (command, loaded)
"""
EXTRAS = "torch torchaudio onnx lhotse librosa scipy matplotlib"


def run(blocked: str, commands: list[list[str]]) -> None:
    arguments = [sys.executable, "-c", PROGRAM, blocked, json.dumps(commands)]
    result = subprocess.run(arguments, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()


def commands_of(folder: Path, model: str | None, speaker: list[str]) -> list[list[str]]:
    """Each command once; recordings at a rate that is not the codec's."""
    recording = str(folder / "ref.wav")
    of_model = ["--model", model] if model else []
    narrator = ["--voice", speaker[1]]
    delivery = ["--text", "<speak>One.<break/></speak>", "--speed", "2"]
    delivery += ["--timestamps", str(folder / "words.srt")]
    out, latents = str(folder / "out.wav"), str(folder / "latents.safetensors")
    return [
        ["voice", "list"],
        ["models", *([model] if model else [])],
        ["synth", *of_model, *speaker, "--text", "One two.", "--out", out],
        ["synth", *of_model, "--prompt", recording, "--text", "One.", "--stream", "--quiet"],
        ["synth", *of_model, *speaker, *delivery, "--out", out],
        ["read", *of_model, *narrator, str(folder / "book.md"), "--out", out],
        ["codec", "encode", *of_model, recording, latents],
        ["codec", "decode", *of_model, latents, out],
        ["codec", "reconstruct", *of_model, recording, str(folder / "copy.flac")],
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_audio(tmp_path / "ref.wav", voice_like(2.0, 16_000), 16_000)
    (tmp_path / "book.md").write_text("# One\n\nTwo.\n")
    return tmp_path


@pytest.mark.parametrize("blocked", ["", EXTRAS], ids=["torch is there", "torch is not there"])
def test_no_command_that_speaks_or_codes_loads_torch(folder: Path, blocked: str) -> None:
    model = str(make_model_directory(folder, "aligned"))
    run(blocked, commands_of(folder, model, ["--prompt", str(folder / "ref.wav")]))


@pytest.mark.slow
def test_the_voice_that_ships_speaks_without_torch(folder: Path) -> None:
    run(EXTRAS, commands_of(folder, None, ["--voice", "heart"]))


@pytest.mark.parametrize("asked", [["--runtime", "torch"], ["--device", "cuda"]])
def test_what_needs_torch_says_so_in_one_line(folder: Path, asked: list[str]) -> None:
    model = str(make_model_directory(folder))
    command = ["synth", "--model", model, "--prompt", str(folder / "ref.wav"), "--text", "One."]
    program = [sys.executable, "-c", PROGRAM, EXTRAS, json.dumps([[*command, *asked]])]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    line = next(line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert "needs torch, which is not installed here" in line
    assert "pip install 'latentspeech[train]'" in line


def test_threads_of_torch_are_refused_where_it_does_not_run(folder: Path) -> None:
    model = str(make_model_directory(folder))
    speaker = ("--prompt", folder / "ref.wav", "--text", "One.", "--threads", 2)
    result = latentspeech("synth", "--model", model, *speaker, "--out", folder / "out.wav")
    assert result.returncode == 2
    assert b"--threads 2 is for torch" in result.stderr


def test_the_package_is_imported_without_any_other() -> None:
    program = (
        "import sys; before = set(sys.modules); import latentspeech; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    heavy = {"numpy", "onnxruntime", "pydantic", "soundfile", "torch", "typer", "yaml"}
    assert not heavy & set(json.loads(result.stdout.replace("'", '"')))
