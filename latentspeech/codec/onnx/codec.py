"""The codec run by ONNX Runtime and numpy, without torch; arrays are numpy's.

It does what the torch module does (codec/model.py), whole or in chunks, and the tests hold the two
together. The graphs are made from the weights when they are first used.

B batch, T samples, F latents, D latent dimension.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latentspeech.codec.config import (
    VOICED_ATTENUATION,
    CodecConfig,
    ConvNeXtConfig,
    HarmonicDecoderConfig,
    IstftDecoderConfig,
    StftEncoderConfig,
)
from latentspeech.codec.onnx import networks
from latentspeech.codec.onnx.harmonics import PitchEstimate, PulseSpectra
from latentspeech.codec.onnx.spectra import InverseSpectrum, LogSpectrum, complex_spectrum
from latentspeech.codec.onnx.stream_graph import StreamFunction
from latentspeech.core.storage.weights import Weights

Floats = NDArray[np.float32]


class _Stream(Protocol):
    """An encoder or a decoder."""

    def init_state(self, batch_size: int) -> Any: ...

    def step(self, x: Floats, state: Any) -> tuple[Floats, Any]: ...


@dataclass(frozen=True)
class EncodeState:
    """The encoder's stream: samples that do not yet fill a latent, and the layers' states."""

    pending: Floats  # (B, n), n < hop_length
    layers: Any
    num_dropped: int  # latents to drop next: 1 at the start of a stream with lookahead, else 0


class OnnxCodec:
    """Audio to latents and back, whole or in chunks."""

    def __init__(
        self,
        config: CodecConfig,
        encoder: Callable[[], Weights],
        decoder: Callable[[], Weights],
        num_threads: int = 1,
    ) -> None:
        """Args: `encoder` and `decoder` read the weights of each side when it is first used."""
        self.config = config
        self._read = encoder, decoder
        self._num_threads = num_threads

    def encode(self, audio: Floats) -> Floats:
        """Audio (B, T) -> means (B, F, D), F = ceil(T / hop_length); zeros complete the last."""
        return self.encode_step(audio, self.init_encode_state(len(audio)), flush=True)[0]

    def decode(self, latents: Floats, num_samples: int | None = None) -> Floats:
        """Latents (B, F, D) -> audio (B, F hop_length), trimmed to `num_samples` if given."""
        audio, _ = self.decode_step(latents, self.init_decode_state(len(latents)))
        return audio[:, :num_samples]

    def init_encode_state(self, batch_size: int) -> EncodeState:
        """A fresh encoder stream."""
        lookahead = self.config.lookahead_samples
        waiting = self.config.hop_length - lookahead if lookahead else 0
        pending = np.zeros((batch_size, waiting), dtype=np.float32)
        return EncodeState(pending, self._encoder.init_state(batch_size), int(lookahead > 0))

    def encode_step(
        self, audio: Floats, state: EncodeState, flush: bool = False
    ) -> tuple[Floats, EncodeState]:
        """Any number of next samples, audio (B, n) -> the latents they complete (B, f, D).

        `flush` ends the stream: zeros complete the last latent, as in `encode`.
        """
        _check("audio", audio, ("B", "n"), None)
        audio = np.concatenate((state.pending, audio), axis=1, dtype=np.float32)
        hop = self.config.hop_length
        if flush:
            lookahead = self.config.lookahead_samples
            missing = -(audio.shape[1] + lookahead) % hop + lookahead
            audio = np.pad(audio, ((0, 0), (0, missing)))
        ready = audio.shape[1] // hop * hop
        if ready == 0:
            empty = np.zeros((len(audio), 0, self.config.latent_dim), dtype=np.float32)
            return empty, EncodeState(audio, state.layers, state.num_dropped)
        frames, layers = self._encoder.step(audio[:, :ready], state.layers)
        latents = frames.reshape(len(frames), ready // hop, self.config.latent_dim)
        return latents[:, state.num_dropped :], EncodeState(audio[:, ready:], layers, 0)

    def init_decode_state(self, batch_size: int) -> Any:
        """A fresh decoder stream."""
        return self._decoder.init_state(batch_size)

    def decode_step(self, latents: Floats, state: Any) -> tuple[Floats, Any]:
        """The next latents (B, f, D) -> all of their samples (B, f hop_length), without delay."""
        _check("latents", latents, ("B", "f"), self.config.latent_dim)
        frames = np.asarray(latents, dtype=np.float32)
        frames = frames.reshape(len(frames), -1, self.config.frame_dim)
        return self._decoder.step(frames, state)

    @functools.cached_property
    def _encoder(self) -> _Stream:
        weights = self._read[0]()
        encoder = self._make_encoder(weights)
        weights.check_all_taken()
        return encoder

    @functools.cached_property
    def _decoder(self) -> _Stream:
        weights = self._read[1]()
        decoder = self._make_decoder(weights)
        weights.check_all_taken()
        return decoder

    def _make_encoder(self, weights: Weights) -> _Stream:
        config, size = self.config.encoder, self.config.frame_dim
        match config:
            case ConvNeXtConfig():
                return _ConvNeXtEncoder(config, weights, size, self._num_threads)
            case StftEncoderConfig():
                return _StftEncoder(config, weights, size, self._num_threads)

    def _make_decoder(self, weights: Weights) -> _Stream:
        config, size = self.config.decoder, self.config.frame_dim
        match config:
            case ConvNeXtConfig():
                return _ConvNeXtDecoder(config, weights, size, self._num_threads)
            case HarmonicDecoderConfig():
                rate = self.config.sample_rate
                return _HarmonicDecoder(config, weights, size, rate, self._num_threads)
            case IstftDecoderConfig():
                return _IstftDecoder(config, weights, size, self._num_threads)


class _ConvNeXtEncoder:
    def __init__(
        self, config: ConvNeXtConfig, weights: Weights, latent_dim: int, num_threads: int
    ) -> None:
        make = functools.partial(networks.convnext_encoder, config, weights, latent_dim)
        self._network = StreamFunction(make, 1, num_threads)
        self.init_state = self._network.init_state

    def step(self, x: Floats, state: Any) -> tuple[Floats, Any]:
        (means,), state = self._network.step(x[..., None], state)
        return means, state


class _StftEncoder:
    def __init__(
        self, config: StftEncoderConfig, weights: Weights, latent_dim: int, num_threads: int
    ) -> None:
        self._spectrum = LogSpectrum(config)
        size = self._spectrum.num_features
        make = functools.partial(networks.stft_encoder, config, weights, size, latent_dim)
        self._network = StreamFunction(make, 1, num_threads)

    def init_state(self, batch_size: int) -> Any:
        return self._spectrum.init_state(batch_size), self._network.init_state(batch_size)

    def step(self, x: Floats, state: Any) -> tuple[Floats, Any]:
        features, of_spectrum = self._spectrum.step(x, state[0])
        (means,), of_network = self._network.step(features, state[1])
        return means, (of_spectrum, of_network)


class _ConvNeXtDecoder:
    def __init__(
        self, config: ConvNeXtConfig, weights: Weights, latent_dim: int, num_threads: int
    ) -> None:
        make = functools.partial(networks.convnext_decoder, config, weights, latent_dim)
        self._network = StreamFunction(make, 1, num_threads)
        self.init_state = self._network.init_state

    def step(self, x: Floats, state: Any) -> tuple[Floats, Any]:
        (samples,), state = self._network.step(x, state)
        return samples[..., 0], state


class _IstftDecoder:
    def __init__(
        self, config: IstftDecoderConfig, weights: Weights, latent_dim: int, num_threads: int
    ) -> None:
        make = functools.partial(networks.istft_decoder, config, weights, latent_dim)
        self._network = StreamFunction(make, 1, num_threads)
        self._inverse = InverseSpectrum(config.window_length, config.hop_length)

    def init_state(self, batch_size: int) -> Any:
        return self._network.init_state(batch_size), self._inverse.init_state(batch_size)

    def step(self, x: Floats, state: Any) -> tuple[Floats, Any]:
        (values,), of_network = self._network.step(x, state[0])
        samples, waiting = self._inverse.step(complex_spectrum(*_halves(values)), state[1])
        return samples, (of_network, waiting)


class _HarmonicDecoder:
    def __init__(
        self,
        config: HarmonicDecoderConfig,
        weights: Weights,
        latent_dim: int,
        sample_rate: int,
        num_threads: int,
    ) -> None:
        make = functools.partial(networks.harmonic_decoder, config, weights, latent_dim)
        self._network = StreamFunction(make, 3, num_threads)
        self._estimate = PitchEstimate(config.pitch)
        self._pulses = PulseSpectra(sample_rate, config.window_length, config.hop_length)
        self._inverse = InverseSpectrum(config.window_length, config.hop_length)

    def init_state(self, batch_size: int) -> Any:
        parts = (self._network, self._pulses, self._inverse)
        return tuple(part.init_state(batch_size) for part in parts)

    def step(self, x: Floats, state: Any) -> tuple[Floats, Any]:
        (logits, gains, free), of_network = self._network.step(x, state[0])
        pitch, voicing = self._estimate(logits)
        pulses, of_pulses = self._pulses.step(pitch, state[1])
        voicing = voicing[..., None]  # (B, N, 1)
        voiced = complex_spectrum(*_halves(gains)) * (voicing * pulses)
        magnitude, phase = _halves(free)
        breath = complex_spectrum(magnitude - np.float32(VOICED_ATTENUATION) * voicing, phase)
        samples, waiting = self._inverse.step(voiced + breath, state[2])
        return samples, (of_network, of_pulses, waiting)


def _halves(values: Floats) -> tuple[Floats, Floats]:
    middle = values.shape[-1] // 2
    return values[..., :middle], values[..., middle:]


def _check(name: str, array: Floats, sizes: tuple[str, ...], last: int | None) -> None:
    """Raises ValueError unless the array has these dimensions, the last of size `last` if given."""
    rank = len(sizes) + (last is not None)
    if array.ndim != rank or (last is not None and array.shape[-1] != last):
        wanted = ", ".join([*sizes, *([str(last)] if last is not None else [])])
        raise ValueError(f"{name} has shape {tuple(array.shape)}; expected ({wanted})")
