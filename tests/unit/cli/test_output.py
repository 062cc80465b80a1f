"""What is written is checked before the work, and what was spoken is kept when that ends early."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.tts.speaking.piece_speaker import Chunk
from latentspeech.tts.synthesizer import Synthesizer
from tests.cli_runner import latentspeech
from tests.tiny_models import make_model_directory, voice_like

SPEAK = ("synth", "--voice", "none.safetensors", "--text", "Hello.", "--model", "none", "--out")
RECORDING = "none.wav"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_directory(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize(
    "command",
    [
        SPEAK,
        ("codec", "reconstruct", RECORDING),
        ("codec", "decode", "none.safetensors"),
        ("codec", "encode", RECORDING),
        ("voice", "export", RECORDING),
        ("score", "--hyp", RECORDING, "--metrics", "mel", "--out"),
        ("score", "--hyp", RECORDING, "--metrics", "mel", "--html"),
    ],
    ids=lambda command: "-".join(command[:2]) + command[-1],
)
@pytest.mark.parametrize("fault", ["suffix", "a folder", "no folder", "no right"])
def test_outputs_are_checked_before_the_inputs(
    command: tuple[str, ...], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No input exists, so a refusal that names the output came first."""
    latents = command[1] in ("encode", "export")
    if command[0] == "score":
        suffix = ".html" if command[-1] == "--html" else ".json"
    else:
        suffix = ".safetensors" if latents else ".wav"
    target = tmp_path / f"out{suffix}"
    if fault == "suffix":
        if suffix == ".html":
            pytest.skip("a page may have any name")
        target, expected = tmp_path / "out.doc", "out.doc"
    elif fault == "a folder":
        target.mkdir()
        expected = "is a folder"
    elif fault == "no folder":
        target, expected = tmp_path / "none" / target.name, "does not exist; create it"
    else:
        monkeypatch.setattr(os, "access", lambda *_: False)
        expected = "not writable"
    result = latentspeech(*command, target)
    said = result.stderr.decode()
    assert result.returncode == 2, said
    assert expected in said
    assert len(said.splitlines()) == 1


def test_a_text_that_does_not_fit_on_the_disk_is_refused_first(tmp_path: Path) -> None:
    text = tmp_path / "long.txt"
    with text.open("wb") as file:
        file.truncate(0)
        file.write(b"word " * 100)
    import shutil

    free = shutil.disk_usage(tmp_path)._replace(free=100_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: free)
        result = latentspeech(
            *("synth", "--voice", "none.safetensors", "--model", "none", "--text-file", text),
            *("--out", tmp_path / "a.wav"),
        )
    assert result.returncode == 2
    assert b"would take about 1.5 MiB, and the disk has 0.1 MiB free" in result.stderr


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "terminated"),  # its terminal was closed
    ],
)
def test_speech_is_kept_when_a_signal_stops_it(
    number: signal.Signals,
    code: int,
    word: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording, out = tmp_path / "ref.wav", tmp_path / "book.wav"
    write_audio(recording, voice_like(1.5), 24_000)

    def speak(*_: object, **__: object) -> Iterator[Chunk]:
        for place in range(10):
            if place == 3:
                os.kill(os.getpid(), number)
            yield Chunk(np.full(24_000, 0.1, dtype=np.float32))

    monkeypatch.setattr(Synthesizer, "stream_chunks", speak)
    # A background job of a shell inherits that SIGINT is ignored, and nohup's that SIGHUP is.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        result = latentspeech(
            *("synth", "--model", model, "--prompt", recording, "--text", "Hello.", "--out", out)
        )
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    part = tmp_path / "book.part.wav"
    assert result.returncode == code
    assert result.stderr.decode() == f"{word}; the first 3.00 s are kept in {part}\n"
    assert len(load_audio(part)) == 3 * 24_000
    assert not out.exists()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["book.part.wav", "ref.wav"]


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("--cfg-scale", "0", "cfg_scale is 0; expected 0.5 to 8, useful is 1 to 6"),
        ("--cfg-scale", "1000", "cfg_scale is 1000; expected 0.5 to 8"),
        ("--noise-scale", "50", "noise_scale is 50; expected 0 to 2"),
        ("--num-steps", "5000", "num_steps is 5000; expected 1 to 100"),
    ],
)
def test_settings_that_give_no_speech_are_refused(
    option: str, value: str, line: str, model: Path, tmp_path: Path
) -> None:
    result = latentspeech(
        *("synth", "--model", model, "--voice", "none.safetensors", "--text", "Hello."),
        *("--out", tmp_path / "a.wav", option, value),
    )
    assert result.returncode == 2
    assert line in result.stderr.decode()
