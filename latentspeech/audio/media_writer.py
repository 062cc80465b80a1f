"""Encodes what libsndfile cannot write through PyAV (FFmpeg): AAC in MP4, MP3 with chapters.

T samples.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.chapters import BookTags, set_chapters
from latentspeech.audio.sink import Sink
from latentspeech.core.errors import ConfigError

BIT_RATE = 96_000  # bits a second, for one channel
_CODERS = {".m4a": ("ipod", "aac"), ".m4b": ("ipod", "aac"), ".mp3": ("mp3", "libmp3lame")}


class MediaEncoder:
    """Encodes blocks of one channel into `file`, in the format of a suffix."""

    def __init__(
        self,
        file: Sink,
        suffix: str,
        sample_rate: int,
        comment: str,
        tags: BookTags | None = None,
    ) -> None:
        container, codec = _CODERS[suffix]
        av = import_av()
        self._frame_type = av.AudioFrame
        self._container = av.open(file, "w", format=container)
        if comment:
            self._container.metadata["comment"] = comment
        if tags is not None:
            self._container.metadata.update(tags.texts())
            set_chapters(self._container, tags.chapters)
        self._stream = self._container.add_stream(codec, rate=sample_rate, layout="mono")
        self._stream.bit_rate = BIT_RATE
        self._sample_rate = sample_rate
        self._num_samples = 0

    def write(self, block: NDArray[np.float32]) -> None:
        """Encodes the next samples (T,)."""
        frame = self._frame_type.from_ndarray(block[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = self._sample_rate, self._num_samples
        self._num_samples += len(block)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Encodes what is left and writes the table of contents, without which nothing plays."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


def import_av() -> Any:
    """Imports PyAV; ConfigError if it is not installed."""
    try:
        import av
    except ImportError:
        raise ConfigError(
            "writing .m4a and .m4b needs PyAV, which is not installed; run: pip install "
            '"latentspeech[media]", or write .wav, .flac, .ogg, .opus or .mp3'
        ) from None
    return av
