"""latentspeech: a streaming sigma-VAE speech codec and next-token-diffusion TTS.

    import latentspeech
    speaker = latentspeech.load("path/of/model")
    speaker.synthesize("Hello.", "reference.wav", seed=1).save("hello.wav")
    codec = latentspeech.load_codec(latentspeech.find_codec())   # the one that ships

Importing this package loads no torch; the names below are imported when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from latentspeech.core.version import VERSION

if TYPE_CHECKING:
    from latentspeech.codec.model import Codec
    from latentspeech.codec.model_directory import find_codec, load_codec
    from latentspeech.tts.models import load
    from latentspeech.tts.prompt import Prompt
    from latentspeech.tts.synthesizer import Audio, Synthesizer

__version__ = VERSION
__all__ = ["Audio", "Codec", "Prompt", "Synthesizer", "find_codec", "load", "load_codec"]

_HOMES = {
    "Audio": "latentspeech.tts.synthesizer",
    "Codec": "latentspeech.codec.model",
    "Prompt": "latentspeech.tts.prompt",
    "Synthesizer": "latentspeech.tts.synthesizer",
    "find_codec": "latentspeech.codec.model_directory",
    "load": "latentspeech.tts.models",
    "load_codec": "latentspeech.codec.model_directory",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'latentspeech' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
