"""All codecs by the names a command line uses; `name=folder` is a model directory of ours."""

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.scorer import MetricUnavailable
from recipes.codec_benchmark.codecs.contract import CodecAdapter


@dataclass(frozen=True)
class KnownCodec:
    """The place of an adapter and the arguments to make it; `about` is its line in the help."""

    module: str
    adapter: str
    about: str
    arguments: Mapping[str, Any]


def _transformers(adapter: str, num_quantizers: int, about: str) -> KnownCodec:
    module = "recipes.codec_benchmark.codecs.transformers_codecs"
    return KnownCodec(module, adapter, about, {"num_quantizers": num_quantizers})


def _dac_low(num_quantizers: int, about: str) -> KnownCodec:
    module = "recipes.codec_benchmark.codecs.dac_low"
    return KnownCodec(module, "DacLow", about, {"num_quantizers": num_quantizers})


def _wavtokenizer(frame_rate_hz: int, about: str) -> KnownCodec:
    module = "recipes.codec_benchmark.codecs.wavtokenizer"
    return KnownCodec(module, "WavTokenizer", about, {"frame_rate_hz": frame_rate_hz})


def _sigma_vae(reduction: int, size: str, about: str) -> KnownCodec:
    module = "recipes.codec_benchmark.codecs.sigma_vae"
    return KnownCodec(module, "SigmaVae.preset", about, {"reduction": reduction, "size": size})


CODECS: dict[str, KnownCodec] = {
    "encodec-32": _transformers("Encodec", 32, "Encodec 24 kHz, 24 kbit/s"),
    "dac-32": _transformers("Dac", 32, "DAC 24 kHz, 24 kbit/s"),
    "encodec-8": _transformers("Encodec", 8, "Encodec 24 kHz, 6 kbit/s"),
    "dac-8": _transformers("Dac", 8, "DAC 24 kHz, 6 kbit/s"),
    "dac-low-4": _dac_low(4, "DAC trained on speech, 3 kbit/s"),
    "dac-low-2": _dac_low(2, "DAC trained on speech, 1.5 kbit/s"),
    "wavtokenizer-75": _wavtokenizer(75, "WavTokenizer, 75 Hz, LibriTTS"),
    "mimi-8": _transformers("Mimi", 8, "Mimi, 8 codebooks"),
    "mimi-4": _transformers("Mimi", 4, "Mimi, 4 codebooks"),
    "wavtokenizer-40": _wavtokenizer(40, "WavTokenizer, 40 Hz, LibriTTS"),
    "sigma-vae-1600": _sigma_vae(1600, "paper", "the paper's codec, 15 Hz, size and speed only"),
    "sigma-vae-3200": _sigma_vae(3200, "paper", "the paper's codec, 7.5 Hz, size and speed only"),
    "sigma-vae-6400": _sigma_vae(6400, "paper", "the paper's codec, 3.75 Hz, size and speed only"),
}


def make_codec(name: str, allow_random: bool = True) -> CodecAdapter:
    """Makes one of CODECS, or our codec in the folder of NAME=FOLDER.

    If weights are not on this machine and `allow_random`, it has random ones and a `hole`.

    Raises:
        ConfigError: an unknown name.
        MetricUnavailable: the codec's package is not installed; or its weights are not on this
            machine and random ones are not allowed.
        CheckpointError: weights are there and broken.
    """
    label, is_ours, folder = name.partition("=")
    if is_ours:
        from recipes.codec_benchmark.codecs.sigma_vae import SigmaVae

        return SigmaVae.load(label, Path(folder))
    known = CODECS.get(name)
    if known is None:
        near = difflib.get_close_matches(name, CODECS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ConfigError(
            f"unknown codec {name!r}; {hint}choose from {', '.join(CODECS)}, or give "
            "name=folder of a codec trained here"
        )
    maker: Any = importlib.import_module(known.module)
    for part in known.adapter.split("."):
        maker = getattr(maker, part)
    try:
        adapter = maker(**known.arguments)
    except MetricUnavailable:
        if not allow_random:
            raise
        adapter = maker(**known.arguments, random_weights=True)
    assert isinstance(adapter, CodecAdapter)
    return adapter
