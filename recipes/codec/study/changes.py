"""The ways to make a copy that the study compares: a part of the decoder's sound changed in each.

B batch of 1, S samples, T latents, N frames, F bins of a frame.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from latentspeech.codec.decoders.harmonic_decoder import HarmonicDecoder
from latentspeech.codec.decoders.istft_head import IstftHead
from latentspeech.codec.model import Codec
from latentspeech.core.errors import ConfigError
from latentspeech.core.latents.sigma_vae import sample_posterior
from recipes.codec.study import frames

COPY = "copy"
EDGES_HZ = (1000, 2000, 4000)
THINNED = (2, 4, 8)  # the last one leaves as many frames as there are latents
_ROUNDS = 32  # of Griffin and Lim


class Heard(NamedTuple):
    """Everything that a changed copy can be made of; spectra are complex (1, N, F)."""

    codec: Codec
    head: IstftHead
    latents: Tensor  # (1, T, D)
    voiced: Tensor
    free: Tensor
    at_true_pitch: Tensor
    recording: Tensor
    generator: torch.Generator

    @property
    def copy(self) -> Tensor:
        """The decoder's spectra."""
        return self.voiced + self.free


Change = Callable[[Heard], Tensor]


def hear(codec: Codec, audio: Tensor, generator: torch.Generator) -> Heard:
    """Copies audio (S,), and keeps the parts."""
    decoder = codec.decoder
    if not isinstance(decoder, HarmonicDecoder):
        raise ConfigError("the study takes the harmonic decoder apart; give a codec that has one")
    latents = codec.encode(audio[None])
    given = codec.frames(latents)
    parts = decoder.spectra_at_pitch(given, None)
    true = decoder.spectra_at_pitch(given, decoder.track_pitch(audio[None]))
    recording = frames.frames_of(decoder.head, audio[None], parts.free.shape[1])
    return Heard(
        codec, decoder.head, latents, *parts, true.voiced + true.free, recording, generator
    )


def noisy(one: Heard) -> Tensor:
    """Spectra of latents drawn from the posterior, which are as noisy as a language model's."""
    latents = sample_posterior(one.codec.config.posterior, one.latents, one.generator)
    assert isinstance(one.codec.decoder, HarmonicDecoder)
    parts = one.codec.decoder.spectra_at_pitch(one.codec.frames(latents), None)
    return parts.voiced + parts.free


def thinned_recording(every: int, one: Heard) -> Tensor:
    """The recording with the magnitudes of every so many frames, and those between interpolated."""
    return frames.with_phase(frames.thinned(one.recording.abs(), every), one.recording)


def changes(sample_rate: int) -> dict[str, Change]:
    """The rows by their names; `copy` is the first, with which the others are compared."""
    found: dict[str, Change] = {
        COPY: lambda one: one.copy,
        "recording, through the same frames": lambda one: one.recording,
        "latents with the posterior's noise": noisy,
        "pitch of the recording": lambda one: one.at_true_pitch,
        "pulses alone": lambda one: one.voiced,
        "free spectrum alone": lambda one: one.free,
        "free spectrum with random phases": lambda one: (
            one.voiced + frames.random_phase(one.free.abs(), one.generator)
        ),
        "free spectrum as one pulse a frame": lambda one: (
            one.voiced + frames.centred_phase(one.free.abs())
        ),
        "magnitudes of the copy, phases of the recording": lambda one: frames.with_phase(
            one.copy.abs(), one.recording
        ),
        "magnitudes of the recording, phases of the copy": lambda one: frames.with_phase(
            one.recording.abs(), one.copy
        ),
        "magnitudes of the copy, phases made consistent": lambda one: frames.consistent_phase(
            one.head, one.copy.abs(), one.copy, _ROUNDS
        ),
        "magnitudes of the recording, phases of the copy made consistent": lambda one: (
            frames.consistent_phase(one.head, one.recording.abs(), one.copy, _ROUNDS)
        ),
    }
    for edge in EDGES_HZ:
        found |= band_changes(edge, sample_rate)
    for every in THINNED:
        found[f"recording, magnitudes of 1 frame in {every}"] = partial(thinned_recording, every)
    return found


def band_changes(edge_hz: int, sample_rate: int) -> Mapping[str, Change]:
    """The copy below an edge with the recording above it, and the reverse."""
    return {
        f"copy below {edge_hz} Hz, recording above": lambda one: frames.joined_at(
            one.copy, one.recording, edge_hz, sample_rate
        ),
        f"recording below {edge_hz} Hz, copy above": lambda one: frames.joined_at(
            one.recording, one.copy, edge_hz, sample_rate
        ),
    }
