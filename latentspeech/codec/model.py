"""The speech codec: a sigma-VAE of causal ConvNeXt encoder and decoder (paper 4.3, H.5.1).

    mu = Encoder(x);  z = mu + |sigma| eps;  x^ = Decoder(z)

`encode` gives the means mu: copies and prompts use them, so results repeat. Training samples z.
Streaming takes chunks of any size: samples that do not fill a frame wait in the state.

With `lookahead_samples` L > 0 latent n depends on the samples before (n + 1) hop + L, not only on
those before (n + 1) hop. Encoding is L samples later, decoding is not. The encoder stays causal:
hop - L zeros go before its input and give one more latent, which is dropped, so the input is
shifted to the left by L.

With `frames_per_latent` g > 1 a latent is g frames of the encoder side by side: a second of sound
has as many numbers, in a g-th of the latents (VALL-E 2's grouping, arXiv 2406.05370, for latents).

B batch, T samples, F latents, D latent dimension, g frames per latent.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.codec.config import (
    CodecConfig,
    ConvNeXtConfig,
    DecoderConfig,
    EncoderConfig,
    HarmonicDecoderConfig,
    IstftDecoderConfig,
    StftEncoderConfig,
)
from latentspeech.codec.decoders.convnext_decoder import ConvNeXtDecoder
from latentspeech.codec.decoders.harmonic_decoder import HarmonicDecoder
from latentspeech.codec.decoders.istft_decoder import IstftDecoder
from latentspeech.codec.encoders.convnext_encoder import ConvNeXtEncoder
from latentspeech.codec.encoders.stft_encoder import StftEncoder
from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.streaming import StreamingModule, reset_rows
from latentspeech.core.tensors import check_shape


def make_encoder(config: EncoderConfig, latent_dim: int) -> StreamingModule:
    """Samples (B, T, 1) -> means (B, T / hop, D)."""
    match config:
        case ConvNeXtConfig():
            return ConvNeXtEncoder(config, latent_dim)
        case StftEncoderConfig():
            return StftEncoder(config, latent_dim)


def make_decoder(config: DecoderConfig, latent_dim: int, sample_rate: int) -> StreamingModule:
    """Latents (B, F, D) -> samples (B, F hop, 1)."""
    match config:
        case ConvNeXtConfig():
            return ConvNeXtDecoder(config, latent_dim)
        case HarmonicDecoderConfig():
            return HarmonicDecoder(config, latent_dim, sample_rate)
        case IstftDecoderConfig():
            return IstftDecoder(config, latent_dim)


@dataclass
class EncodeState:
    """The encoder's stream: samples that do not yet fill a frame, and the layers' states."""

    pending: Tensor  # (B, n), n < hop_length
    layers: Any
    num_dropped: int  # latents to drop next: 1 at the start of a stream with lookahead, else 0
    has_lookahead: bool

    def reset_rows(self, rows: Tensor) -> None:
        """Starts single streams (B,) anew, in place.

        Raises:
            ConfigError: samples wait for a frame, or the encoder looks ahead. The rows share both.
        """
        waiting = self.pending.shape[1]
        if waiting or self.has_lookahead:
            raise ConfigError(
                f"{int(rows.sum())} of {len(rows)} encoder streams cannot start anew: the streams "
                f"of a batch share {waiting} samples of a frame and the encoder's lookahead; give "
                "each new stream a state of its own"
            )
        self.layers = reset_rows(self.layers, rows)


class Codec(nn.Module):
    """Audio to latents and back, whole or in chunks."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = make_encoder(config.encoder, config.frame_dim)
        self.decoder = make_decoder(config.decoder, config.frame_dim, config.sample_rate)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.parameters()).device

    def encode(self, audio: Tensor) -> Tensor:
        """Audio (B, T) -> means (B, F, D), F = ceil(T / hop_length); zeros complete the last."""
        check_shape("audio", audio, "B", "T")
        return self.encode_step(audio, self.init_encode_state(len(audio)), flush=True)[0]

    def decode(self, latents: Tensor, num_samples: int | None = None) -> Tensor:
        """Latents (B, F, D) -> audio (B, F hop_length), trimmed to `num_samples` if given."""
        check_shape("latents", latents, "B", "F", self.config.latent_dim)
        return self.decoder(self.frames(latents))[:, :num_samples, 0]

    def frames(self, latents: Tensor) -> Tensor:
        """Latents (B, F, D) -> frames (B, F g, D / g), which the decoder takes."""
        rows, length, _ = latents.shape
        return latents.reshape(rows, length * self.config.frames_per_latent, self.config.frame_dim)

    def init_encode_state(self, batch_size: int) -> EncodeState:
        """A fresh encoder stream."""
        lookahead = self.config.lookahead_samples
        waiting = self.config.hop_length - lookahead if lookahead else 0
        pending = self.encoder.zero_state(batch_size, waiting)
        layers = self.encoder.init_state(batch_size)
        return EncodeState(pending, layers, int(lookahead > 0), lookahead > 0)

    def encode_step(
        self, audio: Tensor, state: EncodeState, flush: bool = False
    ) -> tuple[Tensor, EncodeState]:
        """Any number of next samples, audio (B, n) -> the latents they complete (B, f, D).

        `flush` ends the stream: zeros complete the last latent, as in `encode`.
        """
        audio = torch.cat((state.pending, audio), dim=1)
        hop = self.config.hop_length
        if flush:
            lookahead = self.config.lookahead_samples
            missing = -(audio.shape[1] + lookahead) % hop + lookahead
            audio = functional.pad(audio, (0, missing))
        ready = audio.shape[1] // hop * hop
        if ready == 0:
            empty = audio.new_zeros(audio.shape[0], 0, self.config.latent_dim)
            return empty, replace(state, pending=audio)
        frames, layers = self.encoder.step(audio[:, :ready, None], state.layers)
        latents = frames.reshape(len(frames), ready // hop, self.config.latent_dim)
        rest = replace(state, pending=audio[:, ready:], layers=layers, num_dropped=0)
        return latents[:, state.num_dropped :], rest

    def init_decode_state(self, batch_size: int) -> Any:
        """A fresh decoder stream."""
        return self.decoder.init_state(batch_size)

    def decode_step(self, latents: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The next latents (B, f, D) -> all of their samples (B, f hop_length), without delay."""
        audio, state = self.decoder.step(self.frames(latents), state)
        return audio[..., 0], state
