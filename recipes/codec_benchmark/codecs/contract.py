"""The contract of every codec under test: audio in, audio out, and the facts that a table prints.

An adapter wraps a published codec as its library runs it, one whole file at a time. If this machine
lacks the weights, the adapter has a random network of the published shape and a `hole`: size and
speed are real, but the sound is not and must not be scored.

T samples.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from latentspeech.core.errors import InputError
from latentspeech.core.tensors import check_shape

# Learned tensors that libraries keep as buffers: codebooks, trained by moving averages.
_CODEBOOK_BUFFERS = ("embed", "embed_sum")


@dataclass(frozen=True)
class Sizes:
    """How many learned numbers each part has, weight norm folded in, unused codebooks left out."""

    encoder: int
    quantizer: int
    decoder: int

    @property
    def total(self) -> int:
        """The number for the whole codec."""
        return self.encoder + self.quantizer + self.decoder


class CodecAdapter(ABC):
    """One codec at one rate.

    `causal` says whether its network can run on audio that is still coming in; libraries do not
    always offer that.
    """

    name: str  # as in names.CODECS
    title: str  # as in the paper's table
    sample_rate: int  # Hz
    hop_length: int  # samples a frame
    num_quantizers: int  # 1 for continuous latents
    latent_dim: int | None = None  # None for tokens
    causal: bool
    weights: str  # which weights these are
    hole: str | None = None  # why its sound must not be scored

    @property
    def frame_rate(self) -> float:
        """Frames a second, Hz."""
        return self.sample_rate / self.hop_length

    @property
    def token_reduction_ratio(self) -> float:
        """The paper's definition: sample rate over (number of quantizers x frame rate)."""
        return self.sample_rate / (self.num_quantizers * self.frame_rate)

    @abstractmethod
    def encode(self, audio: Tensor) -> Any:
        """Audio (T,) at `sample_rate` to what `decode` takes."""

    @abstractmethod
    def decode(self, codes: Any, num_samples: int) -> Tensor:
        """Back to audio (num_samples,)."""

    @abstractmethod
    def parts(self) -> Mapping[str, Iterable[nn.Module]]:
        """The modules of "encoder", "quantizer" and "decoder"."""

    @torch.inference_mode()
    def reconstruct(self, audio: Tensor) -> Tensor:
        """Audio (T,) through the codec and back, (T,)."""
        check_shape("audio", audio, "T")
        if audio.numel() == 0:
            raise InputError(f"{self.name}: audio is empty; expected at least one sample")
        if self.hole is not None:
            raise InputError(
                f"{self.name} has random weights, its copies mean nothing: {self.hole}"
            )
        return self.decode(self.encode(audio), audio.numel())

    def sizes(self) -> Sizes:
        """How large each part is."""
        counts = {part: sum(map(count_learned, modules)) for part, modules in self.parts().items()}
        return Sizes(counts["encoder"], counts.get("quantizer", 0), counts["decoder"])


def count_learned(module: nn.Module) -> int:
    """The number of parameters, and of elements in codebooks that are kept as buffers."""
    codebooks = (
        buffer.numel()
        for name, buffer in module.named_buffers()
        if name.rpartition(".")[2] in _CODEBOOK_BUFFERS
    )
    return sum(parameter.numel() for parameter in module.parameters()) + sum(codebooks)


def fold_weight_norm(module: nn.Module) -> None:
    """Replaces weight norm by the resulting weights: the same output at the speed in use."""
    from torch.nn.utils import parametrize, remove_weight_norm

    for part in module.modules():
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")
        elif hasattr(part, "weight_g"):
            remove_weight_norm(part)


def fit_length(audio: Tensor, num_samples: int, hop_length: int) -> Tensor:
    """Audio (T',) cut or, by less than a frame, lengthened with zeros: (num_samples,)."""
    missing = num_samples - audio.numel()
    if missing >= hop_length:
        raise InputError(
            f"the decoder gave {audio.numel()} of {num_samples} samples; expected less than one "
            f"frame ({hop_length}) to be missing"
        )
    return nn.functional.pad(audio, (0, max(0, missing)))[:num_samples]
