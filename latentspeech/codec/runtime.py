"""What runs a codec: ONNX Runtime, which needs no torch, or torch on any device.

Arrays are numpy's whatever runs it.

B batch, T samples, F latents, D latent dimension.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from latentspeech.codec.config import CodecConfig
from latentspeech.codec.model_directory import (
    decoder_directory,
    load_codec_module,
    read_codec_config,
)
from latentspeech.codec.onnx.codec import OnnxCodec
from latentspeech.core.storage.model_directory import WEIGHTS_NAME, StoredArrays
from latentspeech.core.storage.weights import Weights

if TYPE_CHECKING:
    from latentspeech.codec.model import Codec

Floats = NDArray[np.float32]
CodecRuntimeKind = Literal["torch", "onnx"]
_MOST_THREADS = 4  # more do not make a codec of this size faster


class CodecRuntime(Protocol):
    """Audio to latents and back, whole or in chunks of any size; states are explicit."""

    @property
    def config(self) -> CodecConfig:
        """The codec's settings."""

    def encode(self, audio: Floats) -> Floats:
        """Audio (B, T) -> means (B, F, D), F = ceil(T / hop_length); zeros complete the last."""

    def decode(self, latents: Floats, num_samples: int | None = None) -> Floats:
        """Latents (B, F, D) -> audio (B, F hop_length), trimmed to `num_samples` if given."""

    def init_encode_state(self, batch_size: int) -> Any:
        """A fresh encoder stream."""

    def encode_step(self, audio: Floats, state: Any, flush: bool = False) -> tuple[Floats, Any]:
        """Any number of next samples, audio (B, n) -> the latents they complete (B, f, D).

        `flush` ends the stream: zeros complete the last latent, as in `encode`.
        """

    def init_decode_state(self, batch_size: int) -> Any:
        """A fresh decoder stream."""

    def decode_step(self, latents: Floats, state: Any) -> tuple[Floats, Any]:
        """The next latents (B, f, D) -> all of their samples (B, f hop_length), without delay."""


class TorchCodec:
    """The codec's torch module, on its device."""

    def __init__(self, module: "Codec") -> None:
        self.module = module

    @property
    def config(self) -> CodecConfig:
        """The codec's settings."""
        return self.module.config

    def encode(self, audio: Floats) -> Floats:
        """Audio (B, T) -> means (B, F, D)."""
        return self._run(self.module.encode, audio)[0]

    def decode(self, latents: Floats, num_samples: int | None = None) -> Floats:
        """Latents (B, F, D) -> audio (B, F hop_length)."""
        return self._run(self.module.decode, latents)[0][:, :num_samples]

    def init_encode_state(self, batch_size: int) -> Any:
        """A fresh encoder stream."""
        return self.module.init_encode_state(batch_size)

    def encode_step(self, audio: Floats, state: Any, flush: bool = False) -> tuple[Floats, Any]:
        """The next samples (B, n) -> latents (B, f, D)."""
        latents, state = self._run(self.module.encode_step, audio, state, flush)
        return latents, state

    def init_decode_state(self, batch_size: int) -> Any:
        """A fresh decoder stream."""
        return self.module.init_decode_state(batch_size)

    def decode_step(self, latents: Floats, state: Any) -> tuple[Floats, Any]:
        """The next latents (B, f, D) -> samples (B, f hop_length)."""
        audio, state = self._run(self.module.decode_step, latents, state)
        return audio, state

    def _run(self, function: Any, values: Floats, *others: Any) -> tuple[Floats, Any]:
        """Calls a method of the module on an array; returns its first result as an array."""
        import torch

        with torch.inference_mode():
            result = function(torch.as_tensor(values, device=self.module.device), *others)
        first, rest = result if isinstance(result, tuple) else (result, None)
        return first.float().numpy(force=True), rest


def load_codec(
    directory: Path,
    decoder: str | None = None,
    runtime: CodecRuntimeKind = "onnx",
    device: str = "cpu",
    num_threads: int | None = None,
) -> CodecRuntime:
    """Reads a codec's model directory.

    Args:
        directory: the model directory.
        decoder: the name of a further decoder; None: the codec's own.
        runtime: onnx runs on a CPU and needs no torch; torch runs on any device.
        device: the device of torch.
        num_threads: threads of ONNX Runtime; None: as many as help.

    Raises:
        CheckpointError: the folder is wrong or damaged, or has no such decoder.
    """
    if runtime == "torch":
        return TorchCodec(load_codec_module(directory, decoder).to(device))
    config = read_codec_config(directory, decoder)

    def encoder() -> Weights:
        return Weights(StoredArrays(directory, "encoder"), str(directory / WEIGHTS_NAME))

    def own_decoder() -> Weights:
        return Weights(StoredArrays(directory, "decoder"), str(directory / WEIGHTS_NAME))

    def further_decoder() -> Weights:
        other = decoder_directory(directory, str(decoder))
        return Weights(StoredArrays(other), str(other / WEIGHTS_NAME))

    threads = num_threads or min(os.cpu_count() or 1, _MOST_THREADS)
    return OnnxCodec(config, encoder, further_decoder if decoder else own_decoder, threads)
