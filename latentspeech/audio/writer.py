"""Writes audio piece by piece into a file that appears whole at the end.

The suffix gives the format. The pieces go into a temporary file beside the target, so the length of
the audio is limited by the disk and not by memory. If the work stops early, what was written can be
kept as a complete, playable file with `.part` before its suffix (`book.part.wav`), so that an older
`book.wav` is not replaced by a half.

T samples.
"""

import contextlib
import logging
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray

from latentspeech.audio.chapters import BookTags, holds_chapters
from latentspeech.audio.media_writer import MediaEncoder, import_av
from latentspeech.audio.pcm import mono
from latentspeech.audio.sink import Sink
from latentspeech.core.errors import InputError
from latentspeech.core.storage.files import atomic_path, check_target

logger = logging.getLogger(__name__)


class _Format(NamedTuple):
    """How a suffix is written."""

    container: str  # of libsndfile, or "AAC"
    subtype: str
    bytes_per_sample: float  # about, for speech
    rates: tuple[int, ...] = ()  # sample rates that the coder takes, Hz; empty: any


_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_FORMATS = {
    ".wav": _Format("WAV", "PCM_16", 2.0),
    ".flac": _Format("FLAC", "PCM_16", 1.1),
    ".ogg": _Format("OGG", "VORBIS", 0.5),
    ".opus": _Format("OGG", "OPUS", 0.5, (8000, 12000, 16000, 24000, 48000)),
    ".mp3": _Format("MP3", "MPEG_LAYER_III", 0.5, _MPEG_RATES),
    ".m4a": _Format("AAC", "", 0.5, (*_MPEG_RATES, 64000, 88200, 96000)),
    ".m4b": _Format("AAC", "", 0.5, (*_MPEG_RATES, 64000, 88200, 96000)),  # an audiobook
}
# The Vorbis encoder keeps a whole write on the stack, so long audio must go in blocks. All blocks
# but the last have this length, so that a file does not depend on the pieces it was written in.
_BLOCK_SAMPLES = 1 << 16
# Room for the last block, the encoder's rest and the end of the file, once the disk is full.
_RESERVE_BYTES = 1 << 18


def check_writable(path: Path, sample_rate: int | None = None, seconds: float = 0.0) -> None:
    """Checks, before any work, that audio can be written to `path`.

    Args:
        path: the file to write.
        sample_rate: rate of the audio in Hz; None if it is not known yet.
        seconds: about the length of the audio, to compare with the free space on the disk.

    Raises:
        InputError: suffix, sample rate, folder, rights or free space do not allow it.
        ConfigError: the format needs a package that is not installed.
    """
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise InputError(
            f"cannot write {path}: unknown suffix {path.suffix!r}; use one of {', '.join(_FORMATS)}"
        )
    if form.container == "AAC":
        import_av()
    if sample_rate is not None and form.rates and sample_rate not in form.rates:
        raise InputError(
            f"cannot write {path} at {sample_rate} Hz: {path.suffix} takes "
            f"{', '.join(map(str, form.rates))}; use .wav or .flac, which take any rate"
        )
    check_target(path, round(seconds * (sample_rate or 24_000) * form.bytes_per_sample))


def part_path(path: Path) -> Path:
    """Returns the name of an unfinished file: `book.wav` -> `book.part.wav`."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


class AudioWriter:
    """A context that writes pieces of audio; the file appears when the block succeeds.

    Samples outside [-1, 1] are clipped and counted in a log warning.

    Args:
        path: the file to write; an older one is replaced at the end.
        sample_rate: Hz.
        comment: goes into the metadata of the file and says where the audio comes from.
        keep_part: if the block fails or is interrupted, keep what was written at `part_path` and
            say so in a note of the exception.
        tags: title, author and chapters of a book; formats that have no chapters leave them out
            (`audio/chapters.py` writes a list of them).

    Raises:
        InputError: the file cannot be written, the disk is full, or samples are NaN.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        comment: str = "",
        keep_part: bool = False,
        tags: BookTags | None = None,
    ) -> None:
        check_writable(path, sample_rate)
        self.path = path
        self.sample_rate = sample_rate
        self.num_samples = 0
        self._comment = comment
        self._keep_part = keep_part
        self._tags = tags
        self._waiting: list[NDArray[np.float32]] = []
        self._num_waiting = 0
        self._num_clipped = 0

    @property
    def duration_s(self) -> float:
        """Length of what was written so far, in seconds."""
        return self.num_samples / self.sample_rate

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(atomic_path(self.path))
            if self.path.exists() and not self.path.is_file():  # a pipe, in which nothing can seek
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                self._temporary = Path(folder) / self.path.name
            self._sink = stack.enter_context(Sink(self._temporary, _RESERVE_BYTES))
            self._encoder = self._open_encoder()
            self._stack = stack.pop_all()
        return self

    def write(self, audio: ArrayLike) -> None:
        """Adds samples (T,)."""
        samples = mono(audio)
        _check_finite(self.path, samples, self.num_samples)
        self._num_clipped += int((np.abs(samples) > 1).sum())
        self.num_samples += len(samples)
        self._waiting.append(np.clip(samples, -1, 1))
        self._num_waiting += len(samples)
        while self._num_waiting >= _BLOCK_SAMPLES:
            whole = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
            block, rest = whole[:_BLOCK_SAMPLES], whole[_BLOCK_SAMPLES:]
            self._waiting, self._num_waiting = [rest], len(rest)
            self._encoder.write(block)
            self._check_sink()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            # Exceptions are raised inside the stack, so that its contexts see them.
            try:
                if error is not None:
                    raise error
                self._finish()
                self._check_sink()
            except BaseException as failure:
                with contextlib.suppress(EOFError, soundfile.LibsndfileError):
                    self._finish()  # also a file that is removed: its encoder must be closed
                if self._keep_part and self.num_samples:
                    self._keep(failure)
                raise
            if self.path.exists() and not self.path.is_file():
                self.path.write_bytes(self._temporary.read_bytes())
        if self._num_clipped:
            logger.warning(
                "%s: %d of %d samples lie outside [-1, 1] and are clipped",
                self.path,
                self._num_clipped,
                self.num_samples,
            )

    def _open_encoder(self) -> "_Encoder":
        suffix = self.path.suffix.lower()
        form = _FORMATS[suffix]
        has_chapters = self._tags is not None and bool(self._tags.chapters)
        if form.container == "AAC" or (has_chapters and holds_chapters(self.path)):
            return MediaEncoder(self._sink, suffix, self.sample_rate, self._comment, self._tags)
        try:
            encoder = soundfile.SoundFile(
                self._sink,
                "w",
                self.sample_rate,
                channels=1,
                format=form.container,
                subtype=form.subtype,
            )
        except soundfile.LibsndfileError as error:
            raise InputError(
                f"cannot write {self.path} at {self.sample_rate} Hz: {error.error_string} "
                "Use .wav or .flac, which take any rate"
            ) from None
        texts = {} if self._tags is None else self._tags.texts()
        for name, value in {**texts, "comment": self._comment}.items():
            if value:
                setattr(encoder, name, value)
        return encoder

    def _finish(self) -> None:
        if self._num_waiting:
            rest, self._waiting, self._num_waiting = np.concatenate(self._waiting), [], 0
            self._encoder.write(rest)
        self._encoder.close()

    def _check_sink(self) -> None:
        error = self._sink.error
        if isinstance(error, OSError):
            raise InputError(
                f"cannot write {self.path}: {error.strerror}; free space there or give another "
                "output path"
            )
        if error is not None:
            raise error

    def _keep(self, failure: BaseException) -> None:
        """Gives the file, as far as it goes, the name of a part."""
        self._sink.close()
        part = part_path(self.path)
        self._temporary.replace(part)
        kept = f"the first {self.duration_s:.2f} s are"
        if self._sink.is_cut:
            kept = "as much as fits is"
        failure.add_note(f"{kept} kept in {part}")


class _Encoder(Protocol):
    def write(self, block: NDArray[np.float32]) -> object: ...

    def close(self) -> None: ...


def _check_finite(path: Path, audio: NDArray[np.float32], start: int) -> None:
    bad = ~np.isfinite(audio)
    if bad.any():
        first = start + int(bad.argmax())
        raise InputError(
            f"audio of {path} has {int(bad.sum())} NaN or infinite samples (first at {first}); "
            "expected numbers in [-1, 1]; make it again"
        )
