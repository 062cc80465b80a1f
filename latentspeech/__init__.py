"""latentspeech: a streaming sigma-VAE speech codec and next-token-diffusion TTS.

    import latentspeech
    speaker = latentspeech.load("path/of/model")
    speaker.synthesize("Hello.", "reference.wav", seed=1).save("hello.wav")
    codec = latentspeech.load_codec(latentspeech.find_codec())   # the one that ships

Samples and latents are numpy arrays. Nothing here loads torch unless its runtime is asked for; the
names below are imported when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from latentspeech.core.version import VERSION

if TYPE_CHECKING:
    from latentspeech.codec.model_directory import find_codec
    from latentspeech.codec.runtime import CodecRuntime, load_codec
    from latentspeech.text.reading.delivery import Delivery, Pauses
    from latentspeech.text.reading.lexicon import Lexicon
    from latentspeech.tts.models import load
    from latentspeech.tts.prompt import Prompt
    from latentspeech.tts.speaking.piece_speaker import Chunk
    from latentspeech.tts.synthesizer import Audio, Synthesizer
    from latentspeech.tts.words.word_clock import WordTime

__version__ = VERSION
__all__ = [
    "Audio",
    "Chunk",
    "CodecRuntime",
    "Delivery",
    "Lexicon",
    "Pauses",
    "Prompt",
    "Synthesizer",
    "WordTime",
    "find_codec",
    "load",
    "load_codec",
]

_HOMES = {
    "Audio": "latentspeech.tts.synthesizer",
    "Chunk": "latentspeech.tts.speaking.piece_speaker",
    "CodecRuntime": "latentspeech.codec.runtime",
    "Delivery": "latentspeech.text.reading.delivery",
    "Lexicon": "latentspeech.text.reading.lexicon",
    "Pauses": "latentspeech.text.reading.delivery",
    "Prompt": "latentspeech.tts.prompt",
    "Synthesizer": "latentspeech.tts.synthesizer",
    "WordTime": "latentspeech.tts.words.word_clock",
    "find_codec": "latentspeech.codec.model_directory",
    "load": "latentspeech.tts.models",
    "load_codec": "latentspeech.codec.runtime",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'latentspeech' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
