"""`synth` with the times of words, SSML, a lexicon and another pace."""

import json
from pathlib import Path

import pytest

from latentspeech.audio.io import load_audio, write_audio
from tests.cli_runner import latentspeech
from tests.tiny_models import make_model_directory, voice_like

SSML = '<speak>One <prosody rate="slow">two</prosody>.<break time="500ms"/> Three.</speak>'


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """The options of a model that knows when its words are heard."""
    folder = tmp_path_factory.mktemp("tiny")
    write_audio(folder / "ref.wav", voice_like(1.5), 24_000)
    model = make_model_directory(folder, "aligned")
    return ("synth", "--model", model, "--prompt", folder / "ref.wav", "--num-steps", 1)


@pytest.mark.parametrize("stream", [False, True])
def test_times_of_words_are_written(
    speaker: tuple[object, ...], tmp_path: Path, stream: bool
) -> None:
    times, out = tmp_path / "words.json", tmp_path / "out.wav"
    where = ("--stream",) if stream else ("--out", out)
    result = latentspeech(*speaker, "--text", SSML, "--timestamps", times, *where)
    assert result.returncode == 0, result.stderr
    found = json.loads(times.read_text())
    assert [word["text"] for word in found["words"]] == ["One", "two.", "Three."]
    if not stream:
        assert found["duration_s"] == pytest.approx(len(load_audio(out)) / 24_000, abs=1e-3)


def test_speed_and_lexicon_reach_the_voice(speaker: tuple[object, ...], tmp_path: Path) -> None:
    lexicon = tmp_path / "words.tsv"
    lexicon.write_text("nginx\tengine\n")

    def spoken(text: str, *options: object) -> int:
        out = tmp_path / "out.wav"
        result = latentspeech(*speaker, "--retries", 0, "--text", text, "--out", out, *options)
        assert result.returncode == 0, result.stderr
        return len(load_audio(out))

    plain = spoken("Try engine.")
    assert spoken("Try nginx.", "--lexicon", lexicon) == plain
    assert abs(spoken("Try engine.", "--speed", 2) - plain / 2) <= 1
    pause = spoken("Try. Engine.", "--sentence-pause", 1.25) - spoken("Try. Engine.")
    assert pause == 24_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--text", "<speak>Oh"), "the SSML is not well-formed: no element found in line 1"),
        (("--text", "<speak>...</speak>"), "there is nothing to speak"),
        (("--text", "Hi.", "--speed", "3"), "speed = 3.0: Input should be less than or equal to 2"),
        (("--text", "Hi.", "--lexicon", "none.tsv"), "lexicon not found: none.tsv"),
        (("--text", "Hi.", "--timestamps", "a.txt"), "unknown suffix '.txt'; use one of .json"),
    ],
)
def test_bad_input_is_one_line(options: tuple[str, ...], message: str) -> None:
    """Before a model is loaded."""
    result = latentspeech("synth", "--model", "none", "--voice", "heart", *options)
    assert result.returncode == 2
    (line,) = result.stderr.decode().splitlines()
    assert message in line


def test_times_that_a_model_does_not_know_are_refused(tmp_path: Path) -> None:
    write_audio(tmp_path / "ref.wav", voice_like(1.5), 24_000)
    model = make_model_directory(tmp_path, "sentence")
    speaker = ("--model", model, "--prompt", tmp_path / "ref.wav", "--prompt-text", "a")
    times = tmp_path / "a.srt"
    result = latentspeech("synth", *speaker, "--text", "Hi.", "--timestamps", times)
    assert result.returncode == 2
    assert b"--timestamps needs a model that knows when its words are heard" in result.stderr
    assert not times.exists()
