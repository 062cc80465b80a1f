"""`latentspeech read`: reads a whole book aloud into a file with chapters."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentspeech.cli.delivery import make_delivery
from latentspeech.cli.options import JsonOption, ModelOption, QuietOption
from latentspeech.core.command import Stopped, counted_progress, report, stoppable

if TYPE_CHECKING:
    from latentspeech.text.books import Book
    from latentspeech.tts.audiobook.reader import Progress
    from latentspeech.tts.prompt import Prompt
    from latentspeech.tts.synthesizer import Synthesizer


def read(
    book: Annotated[Path, typer.Argument(help="Book to read: .txt, .md or .epub.")],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write: .m4b has the chapters in it; .mp3, .wav, .flac, .ogg and .opus "
            "get a list beside them."
        ),
    ],
    voice: Annotated[
        str, typer.Option(help="Narrator: name or file of a voice, or a recording.")
    ] = "heart",
    model: ModelOption = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
    speed: Annotated[
        float, typer.Option(help="Pace, 0.5 to 2 times the voice's own; the pitch stays.")
    ] = 1.0,
    sentence_pause: Annotated[
        float | None, typer.Option(help="Silence between sentences, s. Default: 0.25.")
    ] = None,
    paragraph_pause: Annotated[
        float | None, typer.Option(help="Silence between paragraphs, s. Default: 0.6.")
    ] = None,
    lexicon: Annotated[
        Path | None,
        typer.Option(help="File of pronunciations: a word, a tab, and a spelling or /IPA/."),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read a book aloud into one file with chapters; the same command goes on if it is stopped."""
    from latentspeech.audio.chapters import holds_chapters, list_path
    from latentspeech.audio.writer import check_writable
    from latentspeech.core.storage.model_directory import weights_hash
    from latentspeech.text.books import read_book
    from latentspeech.tts.audiobook import BookReader
    from latentspeech.tts.models import find_tts
    from latentspeech.tts.synthesizer import Synthesizer

    check_writable(out)
    delivery = make_delivery(speed, sentence_pause, paragraph_pause, lexicon)
    content = read_book(book, is_voice)
    directory = find_tts(model)
    speaker = Synthesizer.from_directory(directory)
    voices = _voices(speaker, content)
    narrator = speaker.as_prompt(voice)
    hash_ = weights_hash(directory)
    reader = BookReader(speaker, hash_, content, voices, narrator, out, seed, delivery)
    start = time.perf_counter()
    with stoppable(), _kept(reader.folder), _progress(content, quiet or as_json) as progress:
        spoken = reader.speak(progress)
        marks = reader.join()
    seconds = time.perf_counter() - start
    duration_s = marks[-1].end_s
    chapters = [{"title": mark.title, "start_s": round(mark.start_s, 3)} for mark in marks]
    values = {"out": str(out), "duration_s": duration_s, "parts_spoken": spoken, "seed": seed}
    beside = "" if holds_chapters(out) else f", chapters in {list_path(out)}"
    number = "1 chapter" if len(marks) == 1 else f"{len(marks)} chapters"
    line = f"{out}: {_clock(duration_s)} in {number}, spoken in {_clock(seconds)}{beside}"
    report(values | {"chapters": chapters}, line, as_json, quiet)


def is_voice(name: str) -> bool:
    """Whether a name in brackets is a voice that ships, or a voice file."""
    from latentspeech.tts.voices import builtin_voices

    path = Path(name)
    return name in builtin_voices() or (path.suffix == ".safetensors" and path.is_file())


def _voices(speaker: "Synthesizer", book: "Book") -> "dict[str, Prompt]":
    """Loads the voices that the book names."""
    names = {
        passage.voice
        for chapter in book.chapters
        for passage in chapter.passages
        if passage.voice is not None
    }
    return {name: speaker.voice(name) for name in sorted(names)}


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Says of a reading that is stopped how it goes on."""
    try:
        yield
    except (Stopped, OSError, ValueError) as error:
        if any(folder.glob("[!.]*")):
            error.add_note(f"what was spoken is kept in {folder}; the same command goes on")
        raise


@contextmanager
def _progress(book: "Book", quiet: bool) -> "Iterator[Progress | None]":
    """Shows how far the reading is and how long it will take, on a terminal as a bar."""
    if quiet or sys.stderr.isatty():
        with counted_progress("reading", quiet) as update:
            yield lambda done, total, _: update(done, total)
        return
    start = time.perf_counter()
    last = -1

    def show(done: int, total: int, chapter: int) -> None:
        nonlocal last
        left_s = (time.perf_counter() - start) * (total - done) / done
        if chapter != last:
            title = book.chapters[chapter].title
            print(f"{done / total:4.0%}, {_clock(left_s)} left: {title}", file=sys.stderr)
        last = chapter

    yield show


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{second:02d}"
