"""The audio of one utterance on a page, and its spectrograms on one scale.

Audio is stored losslessly (FLAC, 16 bit), since one listens for the faults of a codec. Recordings
above 24 kHz are resampled to 24 kHz, long ones are shortened, and the page says so.

T samples, F frequency bins, N frames.
"""

import base64
import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
import torch
from torch import Tensor

from latentspeech.audio.io import load_audio
from latentspeech.core.errors import InputError

logger = logging.getLogger(__name__)

MAX_RATE = 24_000
MAX_SECONDS = 20.0
RANGE_DB = 80.0
_FFT_LENGTH, _NUM_BINS, _MAX_FRAMES = 1024, 192, 640


@dataclass(frozen=True)
class Clip:
    """One recording on the page."""

    role: str  # "reference", "under test" or "voice prompt"
    audio: Tensor  # (T,)
    sample_rate: int
    seconds: float  # of the whole recording
    flac: bytes

    @property
    def cut(self) -> bool:
        """Whether the page has only the beginning of the recording."""
        return self.seconds > MAX_SECONDS

    @property
    def address(self) -> str:
        """The audio as a data: URL."""
        return "data:audio/flac;base64," + base64.b64encode(self.flac).decode("ascii")


@dataclass(frozen=True)
class Picture:
    """A spectrogram as a data: URL, and its description in words."""

    address: str
    said: str


def read_clip(role: str, path: Path) -> Clip | str:
    """Returns the recording, or a text that says why there is nothing to play."""
    try:
        rate = min(MAX_RATE, int(soundfile.info(path).samplerate))
        audio = load_audio(path, rate)
    except (InputError, soundfile.SoundFileError, OSError) as error:
        logger.warning("%s: not on the page: %s", path.name, error)
        return f"{role}: {path.name} cannot be read"
    seconds = len(audio) / rate
    audio = audio[: int(MAX_SECONDS * rate)]
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.clamp(-1, 1).numpy(), rate, format="FLAC", subtype="PCM_16")
    return Clip(role, audio, rate, seconds, buffer.getvalue())


def spectrograms(clips: list[Clip], name: str) -> list[Picture]:
    """Draws each clip, all with the same axes and one scale, whose top is the loudest level."""
    rate = max(clip.sample_rate for clip in clips)
    seconds = max(len(clip.audio) / clip.sample_rate for clip in clips)
    levels = [_level_db(_at_rate(clip, rate), int(seconds * rate)) for clip in clips]
    top_db = max(float(level.max()) for level in levels)
    return [
        Picture(
            _png(level, top_db),
            f"Spectrogram, {clip.role} of {name}: 0 to {seconds:.1f} s, "
            f"0 to {rate / 2000:g} kHz, {RANGE_DB:g} dB from dark to light",
        )
        for clip, level in zip(clips, levels, strict=True)
    ]


def _at_rate(clip: Clip, rate: int) -> Tensor:
    from latentspeech.audio.io import resample

    return resample(clip.audio, clip.sample_rate, rate)


def _level_db(audio: Tensor, num_samples: int) -> Tensor:
    """Returns levels (F, N) in dB; audio below `num_samples` is lengthened with silence."""
    padded = torch.nn.functional.pad(audio, (0, max(_FFT_LENGTH, num_samples) - len(audio)))
    hop = max(128, len(padded) // _MAX_FRAMES)
    spectrum = torch.stft(
        padded, _FFT_LENGTH, hop, window=torch.hann_window(_FFT_LENGTH), return_complex=True
    )
    power = torch.nn.functional.adaptive_max_pool1d(spectrum.abs().square().mT, _NUM_BINS).mT
    return 10 * power.clamp_min(1e-12).log10()


def _png(level_db: Tensor, top_db: float) -> str:
    import matplotlib
    from PIL import Image

    shade = ((level_db - top_db) / RANGE_DB + 1).clamp(0, 1)  # 1 is loudest
    indices = (255 * shade).round().to(torch.uint8).flip(0).numpy()  # low frequencies at the bottom
    image = Image.fromarray(indices)
    palette: Any = matplotlib.colormaps["magma"]
    image = image.convert("P")
    image.putpalette([round(255 * part) for i in range(256) for part in palette(i)[:3]])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
