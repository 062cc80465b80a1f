"""A book is spoken part by part, goes on after a stop, and has its chapters in the file."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import latentspeech
from latentspeech.audio.chapters import list_path
from latentspeech.audio.io import read_audio, write_audio
from latentspeech.text.books import Book, Chapter, Passage
from latentspeech.tts.audiobook import BookReader
from latentspeech.tts.audiobook.parts import MOST_CHARACTERS, parts_of
from latentspeech.tts.prompt import Prompt, save_voice
from latentspeech.tts.synthesizer import Synthesizer
from tests.cli_runner import latentspeech as command
from tests.tiny_models import make_model_directory, voice_like

CHAPTERS = (
    Chapter("One", (Passage("One"), Passage("Two three."), Passage("Four.", "other"))),
    Chapter("Two", (Passage("![](picture.png)"), Passage("Five six."), Passage("* * *"))),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and two voices."""
    folder = tmp_path_factory.mktemp("tiny")
    speaker = latentspeech.load(make_model_directory(folder, "aligned"))
    for number, name in enumerate(("narrator", "other")):
        write_audio(folder / f"{name}.wav", voice_like(1.5, seed=number), 24_000)
        save_voice(speaker.prompt(folder / f"{name}.wav"), folder / f"{name}.safetensors")
    return folder


@pytest.fixture(scope="module")
def speaker(folder: Path) -> Synthesizer:
    return latentspeech.load(folder / "model")


def reader(
    speaker: Synthesizer, folder: Path, out: Path, chapters: tuple[Chapter, ...] = CHAPTERS
) -> BookReader:
    narrator, other = (speaker.voice(folder / f"{name}.safetensors") for name in VOICES)
    return BookReader(speaker, "0", Book("Sea", "Me", chapters), {"other": other}, narrator, out)


VOICES = ("narrator", "other")


def test_paragraphs_are_joined_up_to_a_length_and_a_voice() -> None:
    long = Passage("word " * (MOST_CHARACTERS // 10))
    chapters = [Chapter("a", (long, long, long)), *CHAPTERS]
    parts = parts_of(chapters, lambda text: False)
    assert [(part.chapter, part.voice) for part in parts] == [
        (0, None),
        (0, None),
        (1, None),
        (1, "other"),
        (2, None),
    ]
    assert parts[2].text == "One\n\nTwo three."
    assert parts[4].text == "Five six."


def test_a_stopped_reading_goes_on_with_the_same_result(
    speaker: Synthesizer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = reader(speaker, folder, tmp_path / "whole.wav")
    assert whole.speak() == 3
    whole.join()
    assert not whole.folder.exists()

    stopped = reader(speaker, folder, tmp_path / "stopped.wav")
    spoken: list[int] = []

    def stop(done: int, total: int, chapter: int) -> None:
        spoken.append(done)
        if len(spoken) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.speak(stop)
    kept = sorted(stopped.folder.iterdir())
    assert len(kept) == 2
    (stopped.folder / ".tmp-1234-part.flac").write_bytes(b"half")
    again = reader(speaker, folder, tmp_path / "stopped.wav")
    assert again.speak() == 1
    assert len(list(again.folder.iterdir())) == 3
    again.join()
    assert np.array_equal(read_audio(stopped.out), read_audio(whole.out))


def test_only_what_changed_is_spoken_anew(
    speaker: Synthesizer, folder: Path, tmp_path: Path
) -> None:
    first = reader(speaker, folder, tmp_path / "book.wav")
    first.speak()
    changed = (CHAPTERS[0], Chapter("Two", (Passage("Five seven."),)))
    assert reader(speaker, folder, first.out, changed).speak() == 1
    other: Prompt = first.voices["other"]
    swapped = BookReader(
        speaker, "0", first.book, first.voices, other, first.out, delivery=first.delivery
    )
    assert swapped.speak() == 2  # the part in the other voice is there


def test_chapters_begin_where_the_list_says(
    speaker: Synthesizer, folder: Path, tmp_path: Path
) -> None:
    book = reader(speaker, folder, tmp_path / "book.flac")
    book.speak()
    one, two = book.join()
    assert (one.title, one.start_s, two.title) == ("One", 0.0, "Two")
    assert two.start_s == pytest.approx(one.end_s + 1.5)
    lines = list_path(book.out).read_text().splitlines()
    assert lines[0] == "00:00:00.000 One"
    assert lines[1] == f"00:00:{two.start_s:06.3f} Two"
    samples = read_audio(book.out)
    assert len(samples) == pytest.approx(two.end_s * 24_000, abs=1)
    pause = samples[int((one.end_s + 0.1) * 24_000) : int((two.start_s - 0.1) * 24_000)]
    assert np.abs(pause).max() < 1e-3


@pytest.mark.parametrize("suffix", [".m4b", ".mp3"])
def test_files_have_their_chapters_in_them(
    speaker: Synthesizer, folder: Path, tmp_path: Path, suffix: str
) -> None:
    av = pytest.importorskip("av")
    book = reader(speaker, folder, tmp_path / f"book{suffix}")
    book.speak()
    marks = book.join()
    with av.open(str(book.out)) as container:
        found = [(one["metadata"]["title"], one["start"]) for one in container.chapters()]
        assert container.metadata["title"] == "Sea"
        assert container.metadata["artist"] == "Me"
        assert "synthetic speech" in container.metadata["comment"]
        assert container.duration / 1e6 == pytest.approx(marks[-1].end_s, abs=0.1)
    assert found == [(mark.title, round(1000 * mark.start_s)) for mark in marks]
    assert not list_path(book.out).exists()


def test_an_mp3_without_pyav_gets_a_list(
    speaker: Synthesizer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    book = reader(speaker, folder, tmp_path / "book.mp3")
    book.speak()
    book.join()
    assert len(list_path(book.out).read_text().splitlines()) == 2


def test_the_command_reads_a_book(folder: Path, tmp_path: Path) -> None:
    book, out = tmp_path / "book.md", tmp_path / "book.wav"
    other = folder / "other.safetensors"
    book.write_text(f"# One\n\nTwo.\n[{other}]: Three.\n\n# Four\n\nFive.\n", encoding="utf-8")
    options = ("--model", folder / "model", "--voice", folder / "narrator.safetensors")
    result = command("read", book, "--out", out, *options)
    assert result.returncode == 0, result.stderr
    assert b"in 2 chapters" in result.stderr
    assert b"0:00:00 left: Four" in result.stderr
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "book.chapters.txt",
        "book.md",
        "book.wav",
    ]
    result = command("read", tmp_path / "none.txt", "--out", out, *options)
    assert result.returncode == 2
    assert b"book not found" in result.stderr
    result = command("read", book, "--out", tmp_path / "book.pdf", *options)
    assert b"unknown suffix '.pdf'" in result.stderr


@pytest.mark.slow
def test_a_reading_that_is_killed_goes_on(folder: Path, tmp_path: Path) -> None:
    book, out = tmp_path / "book.txt", tmp_path / "book.wav"
    book.write_text("\n\n".join(f"Chapter {k}\n\nOne two three." for k in range(1, 4)))
    arguments = ["read", str(book), "--out", str(out), "--model", str(folder / "model")]
    arguments += ["--voice", str(folder / "narrator.safetensors"), "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "latentspeech.cli.main", *arguments])
    parts = tmp_path / "book.wav.parts"
    end = time.monotonic() + 60
    while not (parts.is_dir() and list(parts.glob("[!.]*.flac"))):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    kept = len(list(parts.glob("[!.]*.flac")))
    result = command(*arguments[:-1], "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["parts_spoken"] == 3 - kept
    assert len(read_audio(out)) == pytest.approx(found["duration_s"] * 24_000, abs=1)
    assert not parts.exists()
