"""Festival: an HTS voice at 32 kHz and two diphone voices at 16 kHz, faster than real time."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import soundfile

from egs.mini.local.sources.protocol import Waveform
from latentspeech.core.errors import DataError

_VOICES = {
    "festival_kal": "voice_kal_diphone",
    "festival_slt": "voice_cmu_us_slt_arctic_hts",
}


class Festival:
    """Calls the `text2wave` program once a sentence."""

    licence = "Festival, kal and CMU ARCTIC slt voices, BSD-like"
    # As of flite: what it says sounds alike.
    max_minutes_per_voice: float | None = 5.0

    def __init__(self) -> None:
        if shutil.which("text2wave") is None:
            raise DataError(
                "festival is not installed; run egs/mini/local/install_sources.sh festival"
            )

    def voices(self) -> list[str]:
        """Speakers festival_kal and festival_slt."""
        return sorted(_VOICES)

    def synthesize(self, text: str, voice: str) -> Waveform:
        """Speaks a sentence at the voice's own rate."""
        with tempfile.TemporaryDirectory() as folder:
            wave = Path(folder) / "speech.wav"
            command = ["text2wave", "-o", str(wave), "-eval", f"({_VOICES[voice]})"]
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
            if done.returncode != 0 or not wave.is_file():
                raise DataError(f"festival failed on {text!r}: {done.stderr.strip()[-200:]}")
            samples, sample_rate = soundfile.read(wave, dtype="float32")
        return Waveform(samples, sample_rate)
