"""Reads an audio file as one channel at its own rate; bad files get helpful errors.

The content decides how, never the suffix: libsndfile reads WAV, FLAC, Ogg (Vorbis, Opus), MP3 and
more, PyAV the rest (media.py). T samples, C channels.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from latentspeech.audio.channels import ChannelChoice, mix
from latentspeech.audio.completeness import find_defect
from latentspeech.audio.media import MEDIA_SUFFIXES, media_blocks, media_header
from latentspeech.core.errors import InputError

logger = logging.getLogger(__name__)

# The names that readers of folders take for recordings.
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", *MEDIA_SUFFIXES)
_READABLE = "a wav, flac, ogg, opus or mp3 file"
_BLOCK_FRAMES = 1 << 16
# Without a Xing frame the length of an MP3 is estimated as its size, with the tags at its end,
# divided by the bit rate.
_ESTIMATED_LENGTH = ("MP3",)
_UNRECOGNISED_FORMAT = 1  # libsndfile's SF_ERR_UNRECOGNISED_FORMAT


@dataclass(frozen=True)
class AudioSource:
    """A file that can be read, more than once."""

    path: Path
    sample_rate: int
    duration_s: float  # by the header
    blocks: Callable[[], Iterator[NDArray[np.float32]]]  # yields (T, C), in order


def open_source(path: Path) -> AudioSource:
    """Reads the header of a file. Raises InputError for a file that is bad or cut short."""
    _check_file(path)
    try:
        with soundfile.SoundFile(path) as file:
            rate, frames = file.samplerate, file.frames
    except soundfile.LibsndfileError as error:
        if error.code == _UNRECOGNISED_FORMAT:
            header = media_header(path)
            return AudioSource(path, *header, partial(media_blocks, path))
        raise InputError(
            f"{path} is damaged, cut short or of an unsupported encoding; expected {_READABLE}; "
            "convert or copy it again"
        ) from None
    return AudioSource(path, rate, frames / rate, partial(_sound_file_blocks, path))


def read_mono(source: AudioSource) -> NDArray[np.float32]:
    """All samples (T,) as float32 at the file's own rate, channels mixed as channels.py says."""
    choice = ChannelChoice()
    blocks: list[NDArray[np.float32]] = []
    for block in source.blocks():
        choice.add(block)
        blocks.append(mix(block, None))
    channel = choice.channel()
    if channel is not None:
        # Rare, so the file is read twice then, and all channels need never be kept.
        logger.warning(
            "%s: only channel %d of %d is used, since the others would drown it or cancel it out",
            source.path,
            channel + 1,
            len(choice.sums),
        )
        blocks = [mix(block, channel) for block in source.blocks()]
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


def _sound_file_blocks(path: Path) -> Iterator[NDArray[np.float32]]:
    count = 0
    with soundfile.SoundFile(path) as file:
        promised = file.frames
        shortfall = "its header promises {} frames, {} can be read"
        try:
            while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
                count += len(block)
                yield block
        except soundfile.LibsndfileError:
            raise _truncated(path, shortfall.format(promised, count)) from None
        if count < promised and file.format not in _ESTIMATED_LENGTH:
            raise _truncated(path, shortfall.format(promised, count))


def _check_file(path: Path) -> None:
    """Raises InputError, before libsndfile reads it, unless a file is readable and complete."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected {_READABLE}; give the path of a file in it")
    try:
        if not path.exists():
            raise InputError(f"{path} not found; expected {_READABLE}; check the path")
        if not path.is_file():
            raise InputError(f"{path} is a pipe or device; expected {_READABLE}; save it to a file")
        if path.stat().st_size == 0:
            raise InputError(
                f"{path} is empty (0 bytes); expected {_READABLE}; record or copy it again"
            )
        defect = find_defect(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; expected {_READABLE}; check its permissions"
        ) from None
    if defect is not None:
        raise InputError(
            f"{path} {defect}; expected {_READABLE} that is whole; "
            "copy it again or convert it to wav"
        )


def _truncated(path: Path, shortfall: str) -> InputError:
    return InputError(f"{path} is truncated: {shortfall}; expected the whole file; copy it again")
