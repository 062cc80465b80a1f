"""A TTS model directory: config.yaml, model.safetensors, README.md, tokenizer/ and codec/.

The codec is part of the directory, since the model can only use latents of its own codec. A model
for the codec that ships may leave out codec/ and name its hash.
"""

import functools
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import codec_hash, find_codec, load_codec
from latentspeech.core.config import parse_config
from latentspeech.core.errors import CheckpointError
from latentspeech.core.files import atomic_directory
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.prefix_store import PrefixStore
from latentspeech.core.lm.runtime import Runtime, TorchRuntime
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.core.model_directory import load_weights, read_model_config, write_model
from latentspeech.core.onnx.runtime import OnnxRuntime
from latentspeech.text.tokenizers import Tokenizer, load_tokenizer
from latentspeech.tts.layouts.build import build_layout
from latentspeech.tts.layouts.layout import Layout
from latentspeech.tts.model import SPEECH, SpeechLMConfig

KIND = "tts"

RuntimeKind = Literal["torch", "onnx", "onnx-int8"]
# With more parameters a step on a CPU mostly waits for weights from memory in any runtime.
_MOST_FOR_ONNX = 100_000_000


@dataclass(frozen=True)
class TTSModel:
    """Everything that synthesis needs."""

    runtime: Runtime
    codec: Codec
    codec_hash: str
    tokenizer: Tokenizer
    layout: Layout
    sampling: SamplingConfig  # how latents are drawn by default
    max_prompt_s: float | None = None

    @functools.cached_property
    def prefixes(self) -> PrefixStore:
        """The states of the language model after the last few voices."""
        return PrefixStore(self.runtime)

    @property
    def lm(self) -> LatentLM:
        """The language model."""
        return self.runtime.model

    @property
    def max_prompt_latents(self) -> int | None:
        """The number of latents of the longest prompt in training; None if it is unknown."""
        if self.max_prompt_s is None:
            return None
        return math.floor(self.max_prompt_s * self.codec.config.frame_rate)


def save_tts(
    lm: LatentLM,
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


def load_tts(
    directory: Path, device: torch.device | str = "cpu", runtime: RuntimeKind | None = None
) -> TTSModel:
    """Reads a model directory.

    Args:
        directory: the model directory.
        device: the device to run on.
        runtime: torch on any device; onnx or onnx-int8 on a CPU, which are several times faster for
            a small model and equal up to rounding. None chooses onnx-int8 for small models on a
            CPU, torch otherwise.

    Raises:
        CheckpointError: the directory is damaged or its parts do not fit together.
        ConfigError: onnx was asked for on a device other than a CPU.
    """
    config = read_tts_config(directory)
    codec_dir = find_codec(directory)
    codec, hash_ = load_codec(codec_dir), codec_hash(codec_dir)
    if config.codec_hash and config.codec_hash != hash_:
        raise CheckpointError(
            f"{directory}: the model was trained on latents of codec {config.codec_hash}, its "
            f"codec is {hash_}; pack the model with the codec it was trained on"
        )
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
    lm = LatentLM(config)
    load_weights(directory, lm)
    return TTSModel(
        _runtime(lm.to(device).eval(), torch.device(device), runtime),
        codec.to(device),
        hash_,
        tokenizer,
        build_layout(config.layout, config.modalities[SPEECH], config.neighbours),
        config.sampling,
        config.max_prompt_s,
    )


def _runtime(lm: LatentLM, device: torch.device, kind: RuntimeKind | None) -> Runtime:
    if kind is None:
        small = sum(parameter.numel() for parameter in lm.parameters()) <= _MOST_FOR_ONNX
        kind = "onnx-int8" if device.type == "cpu" and small else "torch"
    return TorchRuntime(lm) if kind == "torch" else OnnxRuntime(lm, int8=kind == "onnx-int8")
