"""Reads the sound of what libsndfile does not know, such as m4a, mp4, webm and 3gp, by PyAV.

PyAV is the extra `[media]`, which carries FFmpeg. T samples of a block, C channels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer

MEDIA_SUFFIXES = (".m4a", ".mp4", ".webm", ".3gp", ".aac")
_INSTALL = "pip install 'latentspeech[media]'"
# Encoders pad the ends, and a header may count the padding.
_MISSING_S = 0.5


def media_header(path: Path) -> tuple[int, float]:
    """(sample rate, length in s) of the sound; it is decoded where the header has no length."""
    with _opened(path) as container:
        rate, stated = container.streams.audio[0].rate, _stated_s(container)
    if stated is None:
        stated = sum(len(block) for block in media_blocks(path)) / rate
    return rate, stated


def media_blocks(path: Path) -> Iterator[NDArray[np.float32]]:
    """Yields the first sound of a file in blocks (T, C), float32 at the file's own rate.

    Raises InputError for a file that FFmpeg cannot read either, without sound, damaged or cut
    short, and where PyAV is missing.
    """
    import av

    count = 0
    with _opened(path) as container:
        stated, rate = _stated_s(container), container.streams.audio[0].rate
        planes = av.AudioResampler(format="fltp", rate=rate)
        try:
            for frame in container.decode(audio=0):
                for part in planes.resample(frame):
                    count += part.samples
                    yield part.to_ndarray().T
            for part in planes.resample(None):
                count += part.samples
                yield part.to_ndarray().T
        except av.error.FFmpegError as error:
            raise InputError(
                f"{path} is damaged after {count / rate:.2f} s ({error.strerror}); expected the "
                "whole file; copy it again"
            ) from None
    if stated is not None and count / rate < stated - _MISSING_S:
        raise InputError(
            f"{path} is truncated: its header promises {stated:.2f} s, {count / rate:.2f} s can be "
            "read; expected the whole file; copy it again"
        )


@contextmanager
def _opened(path: Path) -> Iterator["InputContainer"]:
    """The file as a container with sound; other files and the network are out of its reach."""
    try:
        import av
    except ImportError:
        raise InputError(
            f"{path} is no audio, or of a format that needs PyAV (m4a, mp4, webm, 3gp); expected "
            f"a wav, flac, ogg, opus or mp3 file; {_INSTALL} reads the others"
        ) from None
    try:
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except av.error.FFmpegError:
        if _is_mp4(path):
            raise InputError(
                f"{path} is damaged or cut short, so its table of contents is missing; expected "
                "the whole file; copy it again"
            ) from None
        raise InputError(
            f"{path} is no audio, or of an unknown format; expected speech in wav, flac, ogg, "
            "opus, mp3, m4a, mp4, webm or 3gp; convert or copy it again"
        ) from None
    with container:
        if not container.streams.audio:
            raise InputError(f"{path} holds no sound; expected speech; give another recording")
        yield container


def _is_mp4(path: Path) -> bool:
    """Whether a file begins as m4a, mp4 and 3gp do; most have the table of contents at the end."""
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _stated_s(container: "InputContainer") -> float | None:
    """The length that the header gives for the sound; None if only that of the picture is known."""
    stream = container.streams.audio[0]
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / 1_000_000
    return None


def media_comment(path: Path) -> str:
    """Returns the comment in the metadata of a file or of its audio stream, or an empty string.

    Raises InputError for a file that FFmpeg cannot read.
    """
    with _opened(path) as container:
        of_sound = container.streams.audio[0].metadata
        found = {key.lower(): value for key, value in {**of_sound, **container.metadata}.items()}
    return found.get("comment") or found.get("description") or ""
