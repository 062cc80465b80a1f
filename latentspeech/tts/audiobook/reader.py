"""Reads a book aloud: speaks its parts into a folder, then joins them to one file with chapters.

A part appears in the folder when it is whole, so a reading that is killed at any moment goes on
with the next part, and the result is the same. The folder is removed once the book is written.
"""

import functools
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from latentspeech.audio.chapters import (
    BookTags,
    ChapterMark,
    holds_chapters,
    list_path,
    write_list,
)
from latentspeech.audio.io import audio_duration_s, read_audio
from latentspeech.audio.writer import AudioWriter
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.seeds import derive_seed
from latentspeech.core.storage.files import remove_leftovers
from latentspeech.core.version import VERSION
from latentspeech.text.books import Book
from latentspeech.text.reading import PLAIN, Delivery
from latentspeech.tts.audiobook.parts import Part, parts_of
from latentspeech.tts.length_guard import GUARDED
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.speaking.parts import silence
from latentspeech.tts.synthesizer import PROVENANCE, Synthesizer

CHAPTER_PAUSE_S = 1.5
FOLDER_SUFFIX = ".parts"

# Is called after each part with the numbers of characters spoken, of all characters to speak, and
# the part's chapter, from 0.
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class BookReader:
    """Reads one book with one model.

    Args:
        speaker: the model.
        model_hash: of its weights, so that another model speaks all parts anew.
        book: its chapters.
        voices: by the names in the book.
        narrator: the voice of all other paragraphs.
        out: the file to write.
        seed: of all noise.
        delivery: speed, pauses and pronunciations.
    """

    speaker: Synthesizer
    model_hash: str
    book: Book
    voices: dict[str, Prompt]
    narrator: Prompt
    out: Path
    seed: int = 0
    delivery: Delivery = PLAIN

    @property
    def folder(self) -> Path:
        """Where parts are kept until the book is whole."""
        return self.out.with_name(self.out.name + FOLDER_SUFFIX)

    @functools.cached_property
    def parts(self) -> list[Part]:
        """Returns the parts of the book in order."""
        return parts_of(self.book.chapters, self._is_speakable)

    def speak(self, progress: Progress | None = None) -> int:
        """Speaks the parts that are not in the folder yet; returns how many those were.

        Raises:
            InputError: the disk is full or the folder cannot be written.
        """
        self.folder.mkdir(exist_ok=True)
        remove_leftovers(self.folder)
        missing = {self._path(part): part for part in self.parts}
        missing = {path: part for path, part in missing.items() if not path.is_file()}
        total = sum(len(part.text) for part in missing.values())
        done = 0
        for path, part in missing.items():
            self._speak(part, path)
            done += len(part.text)
            if progress is not None:
                progress(done, total, part.chapter)
        return len(missing)

    def join(self) -> list[ChapterMark]:
        """Writes the book from its parts and removes the folder; returns where chapters begin.

        A format without chapters has a list of them beside the file.
        """
        rate = self.speaker.sample_rate
        parts = self.parts
        pauses = [self._pause_s(before, part) for before, part in pairwise(parts)]
        paths = [self._path(part) for part in parts]
        marks = self._marks(parts, [audio_duration_s(path) for path in paths], [0.0, *pauses])
        tags = BookTags(self.book.title, self.book.author, tuple(marks))
        with AudioWriter(self.out, rate, PROVENANCE, tags=tags) as writer:
            for path, pause_s in zip(paths, [0.0, *pauses], strict=True):
                writer.write(silence(pause_s, rate))
                writer.write(read_audio(path, rate))
        if not holds_chapters(self.out):
            write_list(list_path(self.out), marks)
        shutil.rmtree(self.folder)
        return marks

    def _speak(self, part: Part, path: Path) -> None:
        seed = derive_seed(self.seed, "read", int(path.stem[:8], 16))
        chunks = self.speaker.stream(
            part.text, self._voice(part), seed, guard=GUARDED, delivery=self.delivery
        )
        with AudioWriter(path, self.speaker.sample_rate, PROVENANCE) as writer:
            for samples in chunks:
                writer.write(samples)

    def _voice(self, part: Part) -> Prompt:
        return self.narrator if part.voice is None else self.voices[part.voice]

    def _path(self, part: Part) -> Path:
        settings = {
            "version": VERSION,
            "model": self.model_hash,
            "runtime": type(self.speaker.model.runtime).__name__,
            "sampling": self.speaker.model.sampling.model_dump_json(),
            "delivery": self.delivery.model_dump_json(),
            "voice": _hash_of_voice(self._voice(part)),
            "seed": str(self.seed),
        }
        return self.folder / f"{part.name(settings)}.flac"

    def _pause_s(self, before: Part, part: Part) -> float:
        same = before.chapter == part.chapter
        return self.delivery.pauses.paragraph_s if same else CHAPTER_PAUSE_S

    def _marks(
        self, parts: list[Part], durations_s: list[float], pauses_s: list[float]
    ) -> list[ChapterMark]:
        marks: dict[int, ChapterMark] = {}
        time_s = 0.0
        for part, duration_s, pause_s in zip(parts, durations_s, pauses_s, strict=True):
            time_s += pause_s
            title = self.book.chapters[part.chapter].title
            start_s = marks[part.chapter].start_s if part.chapter in marks else time_s
            time_s += duration_s
            marks[part.chapter] = ChapterMark(title, start_s, time_s)
        return list(marks.values())

    def _is_speakable(self, text: str) -> bool:
        try:
            self.speaker.reading(text)
        except (ConfigError, InputError):
            return False
        return True


def _hash_of_voice(voice: Prompt) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(voice.latents).tobytes())
    if voice.log_gains is not None:
        digest.update(np.ascontiguousarray(voice.log_gains).tobytes())
    digest.update((voice.transcript or "").encode())
    return digest.hexdigest()[:16]
