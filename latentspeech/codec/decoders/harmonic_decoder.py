"""The fast decoder with harmonics: the latents give a pitch, which drives a source of pulses.

    S_n = v_n A_n E_n(pitch_n) + exp(-c v_n) G_n

E are the spectra of the pulses (harmonic_source.py), A is a complex filter and G a free spectrum;
log magnitude and phase of A and G are linear in the frame's features. v is the probability that the
frame is voiced. Voiced sound passes through A; G is breath and everything else. No gradient reaches
pitch and voicing through the sound; they are learned from a pitch tracker's answers.

B batch, T latents, N = upsampling T frames, F = W // 2 + 1 bins, P pitch bins.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.codec.config import VOICED_ATTENUATION, HarmonicDecoderConfig
from latentspeech.codec.decoders.harmonic_source import HarmonicSource
from latentspeech.codec.decoders.istft_decoder import frame_layers
from latentspeech.codec.decoders.istft_head import IstftHead
from latentspeech.codec.pitch import PitchBins, track_pitch
from latentspeech.core.nn.streaming import StreamingModule, StreamingSequential


class HarmonicSpectra(NamedTuple):
    """The two parts of the frames' spectra, complex (B, N, F) each; the decoder adds them."""

    voiced: Tensor  # v A E
    free: Tensor  # exp(-c v) G


class HarmonicDecoder(StreamingModule):
    """The decoder x = Decoder(z), which adds pulses and free spectra frame by frame."""

    def __init__(self, config: HarmonicDecoderConfig, latent_dim: int, sample_rate: int) -> None:
        super().__init__()
        narrow, window, hop = config.frame_channels, config.window_length, config.hop_length
        self.frames_per_latent = config.upsampling
        self.layers = StreamingSequential(*frame_layers(config, latent_dim))
        self.pitch_logits = nn.Linear(narrow, config.pitch.bins + 1)
        self.pitch_bins = PitchBins(config.pitch)
        self.source = HarmonicSource(sample_rate, window, hop)
        self.filter = nn.Linear(narrow, 2 * (window // 2 + 1))
        self.head = IstftHead(narrow, window, hop)

    def init_state(self, batch_size: int) -> Any:
        """The states of layers, source and head."""
        parts = (self.layers, self.source, self.head)
        return tuple(part.init_state(batch_size) for part in parts)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Latents x (B, T, D) -> samples (B, T hop, 1)."""
        samples, _, state = self._step(x, state, None)
        return samples, state

    def forward_at_pitch(self, x: Tensor, pitch: Tensor | None) -> tuple[Tensor, Tensor]:
        """Latents x (B, T, D) -> samples (B, T hop, 1) and the logits of PitchBins (B, N, P + 1).

        A given pitch (B, N), in Hz at the centres of the frames, 0 where unvoiced, replaces the
        decoder's own.
        """
        samples, logits, _ = self._step(x, self.init_state(len(x)), pitch)
        return samples, logits

    def spectra_at_pitch(self, x: Tensor, pitch: Tensor | None) -> HarmonicSpectra:
        """Latents x (B, T, D) -> the parts of the spectra; `pitch` as in `forward_at_pitch`."""
        return self._spectra(x, self.init_state(len(x)), pitch)[0]

    def track_pitch(self, audio: Tensor) -> Tensor:
        """The tracked pitch of audio (B, T) at the centres of the frames of its latents (B, N).

        It is in Hz, 0 where unvoiced. N counts all frames of the latents, the last one included.
        """
        hop = self.head.hop_length
        frames_per_latent = self.frames_per_latent
        num_frames = -(-audio.shape[1] // (hop * frames_per_latent)) * frames_per_latent
        centre = self.head.window_length // (2 * hop)
        pitch = track_pitch(audio, self.source.sample_rate, hop)[:, centre:]
        return functional.pad(pitch, (0, max(0, num_frames - pitch.shape[1])))[:, :num_frames]

    def _step(self, x: Tensor, state: Any, pitch: Tensor | None) -> tuple[Tensor, Tensor, Any]:
        spectra, logits, (layers, source, head) = self._spectra(x, state, pitch)
        samples, head = self.head.synthesize(spectra.voiced + spectra.free, head)
        return samples, logits, (layers, source, head)

    def _spectra(
        self, x: Tensor, state: Any, pitch: Tensor | None
    ) -> tuple[HarmonicSpectra, Tensor, Any]:
        """Returns the spectra, the logits of PitchBins, and the states; the head's is unchanged."""
        layers, source, head = state
        features, layers = self.layers.step(x, layers)  # (B, N, C)
        logits = self.pitch_logits(features)
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            hertz, voicing = self.pitch_bins.estimate(logits)
            if pitch is not None:
                hertz, voicing = torch.where(pitch > 0, pitch, hertz), (pitch > 0).to(hertz)
            pulses, source = self.source.step(hertz, source)
            voicing = voicing[..., None]  # (B, N, 1)
        gain, phase = self.filter(features).chunk(2, dim=-1)  # (B, N, F) each
        voiced = self.head.spectrum(gain, phase) * (voicing * pulses)
        magnitude, phase = self.head.linear(features).chunk(2, dim=-1)
        free = self.head.spectrum(magnitude - VOICED_ATTENUATION * voicing, phase)
        return HarmonicSpectra(voiced, free), logits, (layers, source, head)
