"""Turns frames into samples by an inverse STFT that streams exactly.

A linear layer gives log magnitude and phase of each frame (Siuzdak, 2023, arXiv 2306.00814, Vocos);
the frames are transformed, windowed and added at their places. Unlike there, frame n covers samples
[n H, n H + W), so that after N frames N H samples are finished and nothing waits. A frame therefore
extends W - H samples ahead; the codec gives its encoder that much lookahead, so that the decoder
need not guess those samples. The envelope of a full overlap is divided out throughout, which fades
the very first W - H samples in.

B batch, N frames, C channels, W window_length, H hop_length, F = W // 2 + 1 bins.
"""

import torch
from torch import Tensor, nn

from latentspeech.codec.config import MAX_LOG_MAGNITUDE
from latentspeech.core.nn.overlap_add import overlap_add
from latentspeech.core.nn.streaming import StreamingModule


class IstftHead(StreamingModule):
    """A linear layer and an inverse STFT with a Hann window; W is a multiple of H."""

    scale: Tensor  # (W,)

    def __init__(self, channels: int, window_length: int, hop_length: int) -> None:
        super().__init__()
        if hop_length < 1 or window_length % hop_length or window_length < 2 * hop_length:
            raise ValueError(
                f"window_length {window_length} must be a multiple of hop_length {hop_length}, "
                "at least twice as long"
            )
        self.window_length = window_length
        self.hop_length = hop_length
        self.linear = nn.Linear(channels, 2 * (window_length // 2 + 1))
        window = torch.hann_window(window_length, dtype=torch.float64)
        envelope = window.square().view(-1, hop_length).sum(dim=0)  # (H,)
        # Window and envelope in one factor; both follow from W and H, so no checkpoint holds them.
        scale = (window.view(-1, hop_length) / envelope).flatten()
        self.register_buffer("scale", scale.to(torch.get_default_dtype()), persistent=False)

    def init_state(self, batch_size: int) -> Tensor:
        """The W - H samples that await later frames, as blocks of H."""
        num_blocks = self.window_length // self.hop_length
        return self.zero_state(batch_size, num_blocks - 1, self.hop_length)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Frames x (B, N, C) -> samples (B, N H, 1)."""
        return self.synthesize(self.spectrum(*self.linear(x).chunk(2, dim=-1)), state)

    def spectrum(self, log_magnitude: Tensor, phase: Tensor) -> Tensor:
        """Complex spectra (B, N, F), never in bfloat16, which would add noise at -40 dB."""
        with torch.autocast(phase.device.type, enabled=False):
            magnitude = log_magnitude.to(self.scale.dtype).clamp(max=MAX_LOG_MAGNITUDE).exp()
            return torch.polar(magnitude, phase.to(self.scale.dtype))

    def synthesize(self, spectra: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Complex spectra (B, N, F) -> samples (B, N H, 1)."""
        with torch.autocast(spectra.device.type, enabled=False):
            frames = torch.fft.irfft(spectra, n=self.window_length) * self.scale  # (B, N, W)
            parts = frames.unflatten(-1, (-1, self.hop_length))  # (B, N, W / H, H)
            blocks, state = overlap_add(parts, state)
        return blocks.flatten(1)[..., None], state
