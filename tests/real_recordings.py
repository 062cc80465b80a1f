"""Real recordings for tests: prompts of Asterisk by one woman, 16 kHz, with texts; and music.

They come from the Debian packages that the mini recipe uses, by the recipe's own script; files that
an earlier run has fetched are used again. Nothing else that a fresh set-up installs holds twenty
recordings of a person.
"""

import fcntl
import gzip
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SAMPLE_RATE = 16000
_MINI = Path(__file__).parents[1] / "egs" / "mini"
_ASTERISK = _MINI / "downloads" / "asterisk" / "usr" / "share"
_TRANSCRIPT = _ASTERISK / "doc" / "asterisk-core-sounds-en" / "core-sounds-en.txt.gz"
_SOUNDS = _ASTERISK / "asterisk" / "sounds" / "en_US_f_Allison"
_MUSIC = _MINI / "downloads" / "asterisk_music" / "usr" / "share" / "asterisk" / "moh"
_MIN_SECONDS, _MAX_SECONDS = 2.0, 5.0


@dataclass(frozen=True)
class RealRecording:
    """A recording of a person, with its text."""

    name: str
    audio: Tensor  # (T,) at SAMPLE_RATE
    text: str


def real_recordings(count: int) -> list[RealRecording]:
    """The first `count` prompts of 2 to 5 s that hold words, by name."""
    _bring("asterisk", _TRANSCRIPT, _SOUNDS)
    found: list[RealRecording] = []
    with gzip.open(_TRANSCRIPT, "rt", encoding="utf-8") as file:
        lines = sorted(line.partition(":") for line in file.read().splitlines())
    for name, _, text in lines:
        path = _SOUNDS / f"{name.strip()}.g722"
        words = " ".join(text.replace("...", " ").split())
        if not words or set(words) & set("[]()<>") or not path.is_file():
            continue
        audio = _decode(path)
        if _MIN_SECONDS <= len(audio) / SAMPLE_RATE <= _MAX_SECONDS:
            found.append(RealRecording(name.strip(), audio, words))
        if len(found) == count:
            return found
    raise AssertionError(f"{len(found)} recordings in {_SOUNDS}; expected {count}")


def real_music(seconds: float) -> Tensor:
    """The middle of the first piece of Asterisk's music on hold, (T,) at SAMPLE_RATE."""
    _bring("asterisk_music", _MUSIC)
    audio = _decode(min(_MUSIC.glob("*.g722")))
    start = len(audio) // 2
    return audio[start : start + int(seconds * SAMPLE_RATE)]


def white_noise(audio: Tensor, snr_db: float, seed: int) -> Tensor:
    """audio (T,) plus white noise at the signal-to-noise ratio."""
    noise = torch.randn(audio.shape, generator=torch.Generator().manual_seed(seed))
    return _mix(audio, noise, snr_db)


def speech_shaped_noise(audio: Tensor, snr_db: float, seed: int) -> Tensor:
    """audio (T,) plus steady noise with the recording's own spectrum and random phases."""
    magnitude = torch.fft.rfft(audio).abs()
    generator = torch.Generator().manual_seed(seed)
    phase = 2 * torch.pi * torch.rand(magnitude.shape, generator=generator)
    return _mix(audio, torch.fft.irfft(torch.polar(magnitude, phase), n=len(audio)), snr_db)


def _mix(audio: Tensor, noise: Tensor, snr_db: float) -> Tensor:
    gain = audio.norm() / noise.norm() * 10 ** (-snr_db / 20)
    return audio + gain * noise


def _bring(source: str, *needed: Path) -> None:
    if all(path.exists() for path in needed):
        return
    with (Path(tempfile.gettempdir()) / "latentspeech_recordings.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        script = _MINI / "local" / "install_sources.sh"
        subprocess.run(["bash", str(script), source], check=True)


def _decode(path: Path) -> Tensor:
    import av

    with av.open(str(path), format="g722") as container:
        blocks = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    return torch.from_numpy(np.concatenate(blocks).astype(np.float32) / 32768.0)
