"""A TTS model directory: config.yaml, model.safetensors, README.md, tokenizer/ and codec/.

The codec is part of the directory, since the model can only use latents of its own codec. A model
for the codec that ships may leave out codec/ and name its hash.
"""

import functools
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from latentspeech.codec.model_directory import codec_hash, find_codec
from latentspeech.codec.runtime import CodecRuntime, TorchCodec, load_codec
from latentspeech.core.config import parse_config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.extras import is_installed, require
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.prefix_store import PrefixStore
from latentspeech.core.onnx.runtime import OnnxRuntime
from latentspeech.core.storage.files import atomic_directory
from latentspeech.core.storage.model_directory import (
    WEIGHTS_NAME,
    load_weights,
    num_parameters,
    read_arrays,
    read_model_config,
    write_model,
)
from latentspeech.core.storage.weights import Weights
from latentspeech.text.tokenizers import Tokenizer, load_tokenizer
from latentspeech.tts.equalizer import Equalizer, NoEqualizer
from latentspeech.tts.layouts.build import build_layout
from latentspeech.tts.layouts.layout import Layout
from latentspeech.tts.model import SPEECH, SpeechLMConfig

if TYPE_CHECKING:
    from latentspeech.core.lm.latent_lm import LatentLM

KIND = "tts"

RuntimeKind = Literal["torch", "onnx", "onnx-int8"]
# With more parameters a step on a CPU mostly waits for weights from memory in any runtime.
_MOST_FOR_ONNX = 100_000_000


class StreamingFilter(Protocol):
    """A causal filter of samples (B, T) with explicit state."""

    def init_state(self, batch_size: int) -> Any:
        """A fresh state."""

    def step(self, x: NDArray[np.float32], state: Any) -> tuple[NDArray[np.float32], Any]:
        """x (B, T) -> (B, T)."""


@dataclass(frozen=True)
class TTSModel:
    """Everything that synthesis needs."""

    runtime: Runtime
    codec: CodecRuntime
    codec_hash: str
    tokenizer: Tokenizer
    layout: Layout
    sampling: SamplingConfig  # how latents are drawn by default
    max_prompt_s: float | None = None

    @functools.cached_property
    def prefixes(self) -> PrefixStore:
        """The states of the language model after the last few voices."""
        return PrefixStore(self.runtime)

    def equalizer(self, gains: NDArray[np.float32] | None) -> StreamingFilter:
        """Makes the filter with these log gains (F,), in the library that runs the codec."""
        if gains is None:
            return NoEqualizer()
        if isinstance(self.codec, TorchCodec):
            from latentspeech.tts.torch_equalizer import TorchEqualizer

            return TorchEqualizer(gains)
        return Equalizer(gains)

    @property
    def max_prompt_latents(self) -> int | None:
        """The number of latents of the longest prompt in training; None if it is unknown."""
        if self.max_prompt_s is None:
            return None
        return math.floor(self.max_prompt_s * self.codec.config.frame_rate)


def save_tts(
    lm: "LatentLM",
    tokenizer_dir: Path,
    codec_dir: Path,
    directory: Path,
    card: str,
    copy_codec: bool = True,
) -> None:
    """Packs a trained model with its tokenizer and codec; replaces `directory` as a whole."""
    config = lm.config.model_copy(update={"codec_hash": codec_hash(codec_dir)})
    with atomic_directory(directory) as temporary:
        shutil.copytree(tokenizer_dir, temporary / "tokenizer")
        if copy_codec:
            shutil.copytree(codec_dir, temporary / "codec")
        write_model(temporary, KIND, config, lm, card)


def read_tts_config(directory: Path) -> SpeechLMConfig:
    """Reads config.yaml of a TTS model directory, which must contain the default sampling.

    Raises:
        CheckpointError: the directory has no TTS model, or its config has no sampling.
    """
    path, values = directory / "config.yaml", read_model_config(directory, KIND)
    if "sampling" not in values:
        raise CheckpointError(
            f"{path} does not say how the model is sampled; expected a mapping `sampling` in its "
            "`config`: write what the model was tuned for, or the paper's values, "
            "{cfg_scale: 4, num_steps: 5, noise_scale: 1}"
        )
    return parse_config(SpeechLMConfig, values, origin=str(path))


def load_tts(directory: Path, device: str = "cpu", runtime: RuntimeKind | None = None) -> TTSModel:
    """Reads a model directory.

    Args:
        directory: the model directory.
        device: the device to run on.
        runtime: torch on any device; onnx or onnx-int8 on a CPU, which need no torch, are several
            times faster for a small model and equal up to rounding. None chooses onnx-int8 on a CPU
            for small models, and where torch is not installed; torch otherwise.

    Raises:
        CheckpointError: the directory is damaged or its parts do not fit together.
        ConfigError: onnx was asked for on a device other than a CPU, or torch is not installed.
    """
    config = read_tts_config(directory)
    codec_dir = find_codec(directory)
    hash_ = codec_hash(codec_dir)
    if config.codec_hash and config.codec_hash != hash_:
        raise CheckpointError(
            f"{directory}: the model was trained on latents of codec {config.codec_hash}, its "
            f"codec is {hash_}; pack the model with the codec it was trained on"
        )
    kind = _runtime_kind(directory, device, runtime)
    codec_runtime: Literal["torch", "onnx"] = "torch" if kind == "torch" else "onnx"
    codec = load_codec(codec_dir, None, codec_runtime, device, num_threads=1)
    latent_dim = config.modalities[SPEECH].latent_dim
    if latent_dim != codec.config.latent_dim:
        raise CheckpointError(
            f"{directory}: the model expects latents of {latent_dim} channels, its codec makes "
            f"{codec.config.latent_dim}; pack the model with the codec it was trained on"
        )
    tokenizer = load_tokenizer(directory / "tokenizer")
    if tokenizer.vocab_size + 3 != config.vocab_size:
        raise CheckpointError(
            f"{directory}: the model knows {config.vocab_size - 3} text tokens, its tokenizer has "
            f"{tokenizer.vocab_size}; pack the model with the tokenizer it was trained on"
        )
    return TTSModel(
        _runtime(directory, config, kind, device),
        codec,
        hash_,
        tokenizer,
        build_layout(config.layout, config.modalities[SPEECH], config.neighbours),
        config.sampling,
        config.max_prompt_s,
    )


def load_lm(directory: Path) -> "LatentLM":
    """Reads the language model of a model directory as a torch module, on the CPU."""
    from latentspeech.core.lm.latent_lm import LatentLM

    lm = LatentLM(read_tts_config(directory))
    load_weights(directory, lm)
    return lm.eval()


def _runtime_kind(directory: Path, device: str, asked: RuntimeKind | None) -> RuntimeKind:
    if asked == "torch" or (asked is None and device != "cpu"):
        need = "the torch runtime" if asked == "torch" else f"device {device!r}"
        require("torch", "train", need)
        return "torch"
    if asked is not None:
        if device != "cpu":
            raise ConfigError(
                f"the onnx runtime runs on the CPU, the model is on {device}; move it there or use "
                "the torch runtime"
            )
        return asked
    small = num_parameters(directory) <= _MOST_FOR_ONNX
    return "onnx-int8" if small or not is_installed("torch") else "torch"


def _runtime(directory: Path, config: SpeechLMConfig, kind: RuntimeKind, device: str) -> Runtime:
    if kind == "torch":
        from latentspeech.core.lm.torch_runtime import TorchRuntime

        return TorchRuntime(load_lm(directory).to(device))
    weights = Weights(read_arrays(directory), str(directory / WEIGHTS_NAME))
    return OnnxRuntime(config, weights, int8=kind == "onnx-int8")
