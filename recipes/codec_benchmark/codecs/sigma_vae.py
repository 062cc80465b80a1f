"""Our codec under the same contract: a model directory, or an untrained preset of the paper.

Copies are made from the posterior's means, so they are the same each time.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import decoding_hash, load_codec_module
from latentspeech.codec.presets import codec_preset
from latentspeech.core.eval.scorer import MetricUnavailable
from recipes.codec_benchmark.codecs.contract import CodecAdapter

_NO_WEIGHTS = "no weights of this size are published; train such a codec and give name=folder"


class SigmaVae(CodecAdapter):
    """A codec of latentspeech.codec."""

    title = "sigma-VAE"
    causal = True
    num_quantizers = 1

    def __init__(self, name: str, codec: Codec, weights: str, hole: str | None = None) -> None:
        self.name = name
        self.title = f"sigma-VAE {codec.config.latent_dim}-d"
        self.sample_rate = codec.config.sample_rate
        self.hop_length = codec.config.hop_length
        self.latent_dim = codec.config.latent_dim
        self.weights, self.hole = weights, hole
        self._codec = codec.eval()

    @classmethod
    def load(cls, name: str, directory: Path) -> "SigmaVae":
        """Makes the adapter of a model directory."""
        return cls(
            name, load_codec_module(directory), f"{directory.name}, {decoding_hash(directory)}"
        )

    @classmethod
    def preset(
        cls, reduction: int, size: Literal["paper", "mini"] = "paper", random_weights: bool = False
    ) -> "SigmaVae":
        """Makes a codec of a size of the paper, with random weights: none are published."""
        if not random_weights:
            raise MetricUnavailable(_NO_WEIGHTS)
        name = f"sigma-vae-{reduction}" if size == "paper" else f"sigma-vae-{size}-{reduction}"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            codec = Codec(codec_preset(reduction, size))
        return cls(name, codec, "random", _NO_WEIGHTS)

    def encode(self, audio: Tensor) -> Any:
        """Audio (T,) to means (1, F, D)."""
        return self._codec.encode(audio[None])

    def decode(self, codes: Any, num_samples: int) -> Tensor:
        """Latents to audio (num_samples,)."""
        return self._codec.decode(codes, num_samples)[0]

    def parts(self) -> dict[str, list[nn.Module]]:
        """Encoder and decoder."""
        return {"encoder": [self._codec.encoder], "decoder": [self._codec.decoder]}
