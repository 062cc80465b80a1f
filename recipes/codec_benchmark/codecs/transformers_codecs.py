"""Encodec, DAC and Mimi through the classes of the `transformers` package.

Encodec: Defossez et al. 2022, arXiv 2210.13438; DAC: Kumar et al. 2023, arXiv 2306.06546; Mimi:
Defossez et al. 2024, arXiv 2410.00037. Codebooks beyond those in use are dropped.

T samples.
"""

import logging
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.pretrained import load_pretrained
from latentspeech.core.eval.scorer import MetricUnavailable, package_version, require_packages
from latentspeech.core.eval.weights import WeightSource, resolve
from recipes.codec_benchmark.codecs.contract import CodecAdapter, fit_length, fold_weight_norm

logger = logging.getLogger(__name__)

_SIDES = {
    "encoder": "encoder",
    "encoder_transformer": "encoder",
    "downsample": "encoder",
    "quantizer": "quantizer",
    "decoder": "decoder",
    "decoder_transformer": "decoder",
    "upsample": "decoder",
}
# From the published configuration of the 24 kHz DAC; Encodec's and Mimi's are the class defaults.
DAC_24KHZ = {
    "sampling_rate": 24_000,
    "downsampling_ratios": [2, 4, 5, 8],
    "upsampling_ratios": [8, 5, 4, 2],
    "n_codebooks": 32,
}


class TransformersCodec(CodecAdapter):
    """The common part of the three: loading, sizes and lengths."""

    source: WeightSource
    model_class: str
    config_values: Mapping[str, Any] = {}

    def __init__(self, num_quantizers: int, random_weights: bool = False) -> None:
        require_packages(self.title, {"transformers": "transformers"})
        self.num_quantizers = num_quantizers
        self.name = f"{self.source.name.split('-')[0]}-{num_quantizers}"
        self._model = (self._random() if random_weights else self._published()).eval()
        fold_weight_norm(self._model)
        self._keep_codebooks()

    def parts(self) -> dict[str, list[nn.Module]]:
        """The model's children, by side."""
        sides: dict[str, list[nn.Module]] = {"encoder": [], "quantizer": [], "decoder": []}
        for name, child in self._model.named_children():
            sides[_SIDES[name]].append(child)
        return sides

    def _published(self) -> Any:
        import transformers

        found = resolve(self.source)
        self.weights = f"{found.checkpoint()}; {package_version('transformers')}"
        return load_pretrained(getattr(transformers, self.model_class), found)

    def _random(self) -> Any:
        import transformers

        self.weights = f"random; {package_version('transformers')}"
        try:
            resolve(self.source)
            self.hole = "random weights were asked for"
        except MetricUnavailable as missing:
            self.hole = str(missing)
        kind = getattr(transformers, self.model_class)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return kind(kind.config_class(**self.config_values))

    @abstractmethod
    def _keep_codebooks(self) -> None:
        """Drops what the chosen number of codebooks does not use."""

    def _check_books(self, available: int) -> None:
        if not 1 <= self.num_quantizers <= available:
            raise ConfigError(
                f"{self.title} has {available} codebooks; {self.num_quantizers} were asked for"
            )


class Encodec(TransformersCodec):
    """24 kHz, 75 Hz, causal; 2, 4, 8, 16 or 32 codebooks (1.5 to 24 kbit/s)."""

    title = "Encodec"
    model_class = "EncodecModel"
    sample_rate, hop_length, causal = 24_000, 320, True
    source = WeightSource(
        name="encodec-24khz",
        repo="facebook/encodec_24khz",
        files=("config.json",),
        weights=("model.safetensors", "pytorch_model.bin"),
        licence="not stated on its card",
        size_mb=93,
    )

    def encode(self, audio: Tensor) -> Any:
        """Audio (T,) to codes."""
        kilobits = self.num_quantizers * 0.75
        return self._model.encode(audio[None, None], bandwidth=kilobits)

    def decode(self, codes: Any, num_samples: int) -> Tensor:
        """Codes to audio (num_samples,)."""
        decoded = self._model.decode(codes.audio_codes, codes.audio_scales)
        return fit_length(decoded.audio_values[0, 0], num_samples, self.hop_length)

    def _keep_codebooks(self) -> None:
        quantizer = self._model.quantizer
        if self.num_quantizers * 0.75 not in self._model.config.target_bandwidths:
            raise ConfigError(f"Encodec has 2, 4, 8, 16 or 32 codebooks, not {self.num_quantizers}")
        quantizer.layers = quantizer.layers[: self.num_quantizers]


class Dac(TransformersCodec):
    """24 kHz, 75 Hz, not causal; up to 32 codebooks."""

    title = "DAC"
    model_class = "DacModel"
    sample_rate, hop_length, causal = 24_000, 320, False
    config_values = DAC_24KHZ
    source = WeightSource(
        name="dac-24khz",
        repo="descript/dac_24khz",
        files=("config.json",),
        weights=("model.safetensors",),
        licence="MIT",
        size_mb=300,
    )

    def encode(self, audio: Tensor) -> Any:
        """Audio (T,) to codes (1, Q, F); zeros fill the last frame, as in DAC's own tool."""
        padded = nn.functional.pad(audio, (0, -audio.numel() % self.hop_length))
        return self._model.encode(padded[None, None], n_quantizers=self.num_quantizers).audio_codes

    def decode(self, codes: Any, num_samples: int) -> Tensor:
        """Codes to audio (num_samples,)."""
        audio = self._model.decode(audio_codes=codes).audio_values[0]
        return fit_length(audio, num_samples, self.hop_length)

    def _keep_codebooks(self) -> None:
        quantizer = self._model.quantizer
        self._check_books(len(quantizer.quantizers))
        quantizer.quantizers = quantizer.quantizers[: self.num_quantizers]


class Mimi(TransformersCodec):
    """24 kHz, 12.5 Hz, causal; one semantic codebook and up to 31 acoustic ones."""

    title = "Mimi"
    model_class = "MimiModel"
    sample_rate, hop_length, causal = 24_000, 1920, True
    source = WeightSource(
        name="mimi-24khz",
        repo="kyutai/mimi",
        files=("config.json",),
        weights=("model.safetensors",),
        licence="CC-BY-4.0",
        size_mb=385,
    )

    def encode(self, audio: Tensor) -> Any:
        """Audio (T,) to codes (1, Q, F)."""
        return self._model.encode(audio[None, None], num_quantizers=self.num_quantizers).audio_codes

    def decode(self, codes: Any, num_samples: int) -> Tensor:
        """Codes to audio (num_samples,)."""
        audio = self._model.decode(codes).audio_values[0, 0]
        return fit_length(audio, num_samples, self.hop_length)

    def _keep_codebooks(self) -> None:
        quantizer = self._model.quantizer
        self._check_books(quantizer.max_num_quantizers)
        acoustic = quantizer.acoustic_residual_vector_quantizer
        acoustic.layers = acoustic.layers[: self.num_quantizers - quantizer.num_semantic_quantizers]
