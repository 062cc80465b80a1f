"""Recordings that lie as ordinary audio files in a folder; long ones are taken in pieces."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import soundfile

from egs.mini.local.sources.protocol import Kind, Recording, Waveform
from latentspeech.core.errors import DataError


class AudioPiece(NamedTuple):
    """A recording and the part of a file that holds it; None as length: all of it."""

    recording: Recording
    path: Path
    start_s: float = 0.0
    length_s: float | None = None


class FileRecordings:
    """Whatever libsndfile reads: WAV, FLAC, Ogg Vorbis, Opus."""

    def __init__(self, licence: str, pieces: Sequence[AudioPiece]) -> None:
        self.licence = licence
        self._pieces = {piece.recording.name: piece for piece in pieces}

    def recordings(self) -> Iterator[Recording]:
        """In the order of the pieces."""
        return (piece.recording for piece in self._pieces.values())

    def load(self, recording: Recording) -> Waveform:
        """Decodes the piece, channels averaged."""
        piece = self._pieces[recording.name]
        try:
            with soundfile.SoundFile(piece.path) as file:
                rate = file.samplerate
                file.seek(min(file.frames, round(piece.start_s * rate)))
                count = -1 if piece.length_s is None else round(piece.length_s * rate)
                block = file.read(count, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError) as error:
            raise DataError(f"{piece.path} cannot be read ({error})") from None
        return Waveform(block.mean(axis=1), rate)


def cut_in_pieces(
    path: Path, speaker: str, kind: Kind, piece_s: float, max_pieces: int
) -> Iterator[AudioPiece]:
    """Up to `max_pieces` pieces of one file, spread over its length; its last rest is left out."""
    try:
        header = soundfile.info(path)
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(f"{path} cannot be read ({error})") from None
    duration_s = header.frames / header.samplerate
    if duration_s < piece_s:
        yield AudioPiece(Recording(path.stem, speaker, kind=kind), path)
        return
    fitting = int(duration_s // piece_s)
    count = min(max_pieces, fitting)
    for number in range(count):
        start_s = piece_s * (number * fitting // count)
        name = f"{path.stem}-{round(start_s):04d}"
        yield AudioPiece(Recording(name, speaker, kind=kind), path, start_s, piece_s)
