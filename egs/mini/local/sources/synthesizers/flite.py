"""flite: four small voices from the CMU ARCTIC recordings, 16 kHz, far faster than real time."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import soundfile

from egs.mini.local.sources.protocol import Waveform
from latentspeech.core.errors import DataError

_VOICES = ("awb", "kal16", "rms", "slt")


class Flite:
    """Calls the `flite` program once a sentence."""

    licence = "CMU Flite and its voices, BSD-like"
    # All it says sounds alike after that, and it has nothing above 8 kHz.
    max_minutes_per_voice: float | None = 5.0

    def __init__(self) -> None:
        if shutil.which("flite") is None:
            raise DataError("flite is not installed; run egs/mini/local/install_sources.sh flite")

    def voices(self) -> list[str]:
        """Speakers flite_awb, flite_kal16, flite_rms, flite_slt."""
        return [f"flite_{name}" for name in _VOICES]

    def synthesize(self, text: str, voice: str) -> Waveform:
        """Speaks a sentence at 16 kHz."""
        with tempfile.TemporaryDirectory() as folder:
            wave = Path(folder) / "speech.wav"
            command = ["flite", "-voice", voice.removeprefix("flite_"), "-t", text, "-o", str(wave)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0 or not wave.is_file():
                raise DataError(f"flite failed on {text!r}: {done.stderr.strip()[-200:]}")
            samples, sample_rate = soundfile.read(wave, dtype="float32")
        return Waveform(samples, sample_rate)
