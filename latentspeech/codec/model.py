"""The speech codec: a sigma-VAE of causal ConvNeXt encoder and decoder (paper 4.3, H.5.1).

    mu = Encoder(x);  z = mu + |sigma| eps;  x^ = Decoder(z)

`encode` gives the means mu: copies and prompts use them, so results repeat. Training samples z.
Streaming takes chunks of any size: samples that do not fill a frame wait in the state.

B batch, T samples, F latent frames, D latent dimension.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.codec.convnext import ConvNeXtConfig
from latentspeech.codec.decoder import ConvNeXtDecoder
from latentspeech.codec.encoder import ConvNeXtEncoder
from latentspeech.core.config import Config
from latentspeech.core.latents.sigma_vae import SigmaVAEConfig
from latentspeech.core.tensors import check_shape


class CodecConfig(Config):
    """Sizes of the codec and its posterior."""

    sample_rate: int = Field(24_000, ge=1, description="Hz, mono")
    latent_dim: int = Field(32, ge=1, description="channels of a latent")
    encoder: ConvNeXtConfig = Field(ConvNeXtConfig(), description="waveform to latents")
    decoder: ConvNeXtConfig = Field(ConvNeXtConfig(), description="latents to waveform")
    posterior: SigmaVAEConfig = Field(SigmaVAEConfig(), description="sigma and beta of the VAE")

    @model_validator(mode="after")
    def _check(self) -> "CodecConfig":
        if math.prod(self.encoder.strides) != math.prod(self.decoder.strides):
            raise ValueError("encoder and decoder strides must have the same product")
        return self

    @property
    def hop_length(self) -> int:
        """Samples a latent: the paper's token reduction ratio for one quantizer."""
        return math.prod(self.encoder.strides)

    @property
    def frame_rate(self) -> float:
        """Latents a second, Hz."""
        return self.sample_rate / self.hop_length


@dataclass
class EncodeState:
    """The encoder's stream: samples that do not yet fill a frame, and the layers' states."""

    pending: Tensor  # (B, n), n < hop_length
    layers: Any


class Codec(nn.Module):
    """Audio to latents and back, whole or in chunks."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ConvNeXtEncoder(config.encoder, config.latent_dim)
        self.decoder = ConvNeXtDecoder(config.decoder, config.latent_dim)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def encode(self, audio: Tensor) -> Tensor:
        """Audio (B, T) -> means (B, F, D), F = ceil(T / hop_length), zeros at the end."""
        check_shape("audio", audio, "B", "T")
        padding = -audio.shape[1] % self.config.hop_length
        return self.encoder(functional.pad(audio, (0, padding))[..., None])

    def decode(self, latents: Tensor, num_samples: int | None = None) -> Tensor:
        """Latents (B, F, D) -> audio (B, F hop_length), cut to `num_samples` if given."""
        check_shape("latents", latents, "B", "F", self.config.latent_dim)
        return self.decoder(latents)[:, :num_samples, 0]

    def init_encode_state(self, batch_size: int) -> EncodeState:
        """A fresh encoder stream."""
        layers = self.encoder.init_state(batch_size)
        return EncodeState(self.encoder.zero_state(batch_size, 0), layers)

    def encode_step(
        self, audio: Tensor, state: EncodeState, flush: bool = False
    ) -> tuple[Tensor, EncodeState]:
        """The next samples of any number, audio (B, n) -> the frames they complete (B, f, D).

        `flush` ends the stream: zeros complete the last frame, as `encode` does.
        """
        audio = torch.cat((state.pending, audio), dim=1)
        hop = self.config.hop_length
        if flush:
            audio = functional.pad(audio, (0, -audio.shape[1] % hop))
        ready = audio.shape[1] // hop * hop
        if ready == 0:
            empty = audio.new_zeros(audio.shape[0], 0, self.config.latent_dim)
            return empty, EncodeState(audio, state.layers)
        latents, layers = self.encoder.step(audio[:, :ready, None], state.layers)
        return latents, EncodeState(audio[:, ready:], layers)

    def init_decode_state(self, batch_size: int) -> Any:
        """A fresh decoder stream."""
        return self.decoder.init_state(batch_size)

    def decode_step(self, latents: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The next latents (B, f, D) -> their samples (B, f hop_length), all of them, at once."""
        audio, state = self.decoder.step(latents, state)
        return audio[..., 0], state
