"""WavTokenizer's decoder: a small network with attention, Vocos' ConvNeXt blocks, an iSTFT.

Ji et al. 2024, arXiv 2408.16532, based on Siuzdak 2023, arXiv 2306.00814. No package contains it.
The parameters are named as in the published checkpoints. The adaptive norms have four conditions,
which were equally likely in training; the first is used, as the authors do.

B batch, C channels, F frames, T samples.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

CODE_DIM = 512
MODEL_DIM = 768
FFN_DIM = 2304
NUM_BLOCKS = 12
NUM_CONDITIONS = 4
_EPS = 1e-6
_MAX_MAGNITUDE = 100.0


def group_norm() -> nn.GroupNorm:
    """A group norm. It averages over time too, so this codec cannot stream."""
    return nn.GroupNorm(32, MODEL_DIM, eps=_EPS)


class ResidualBlock(nn.Module):
    """x + two of (group norm, SiLU, convolution)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = group_norm(), group_norm()
        self.conv1 = nn.Conv1d(MODEL_DIM, MODEL_DIM, 3, padding=1)
        self.conv2 = nn.Conv1d(MODEL_DIM, MODEL_DIM, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C, F) to (B, C, F)."""
        inner = self.conv1(functional.silu(self.norm1(hidden)))
        return hidden + self.conv2(functional.silu(self.norm2(inner)))


class AttentionBlock(nn.Module):
    """x + one head of attention over all frames."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = group_norm()
        self.q = nn.Conv1d(MODEL_DIM, MODEL_DIM, 1)
        self.k = nn.Conv1d(MODEL_DIM, MODEL_DIM, 1)
        self.v = nn.Conv1d(MODEL_DIM, MODEL_DIM, 1)
        self.proj_out = nn.Conv1d(MODEL_DIM, MODEL_DIM, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C, F) to (B, C, F)."""
        normed = self.norm(hidden)
        query, key, value = (layer(normed).mT for layer in (self.q, self.k, self.v))  # (B, F, C)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return hidden + self.proj_out(attended.mT)


class ConditionedNorm(nn.Module):
    """Layer norm whose scale and shift belong to a condition."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Embedding(NUM_CONDITIONS, MODEL_DIM)
        self.shift = nn.Embedding(NUM_CONDITIONS, MODEL_DIM)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, F, C) to (B, F, C)."""
        normed = functional.layer_norm(hidden, (MODEL_DIM,), eps=_EPS)
        return normed * self.scale.weight[0] + self.shift.weight[0]


class ConvNeXtBlock(nn.Module):
    """x + gamma FFN(norm(depthwise(x)))."""

    def __init__(self) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(MODEL_DIM, MODEL_DIM, 7, padding=3, groups=MODEL_DIM)
        self.norm = ConditionedNorm()
        self.pwconv1 = nn.Linear(MODEL_DIM, FFN_DIM)
        self.pwconv2 = nn.Linear(FFN_DIM, MODEL_DIM)
        self.gamma = nn.Parameter(torch.full((MODEL_DIM,), 1 / NUM_BLOCKS))

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C, F) to (B, C, F)."""
        inner = self.norm(self.dwconv(hidden).mT)  # (B, F, C)
        inner = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(inner)))
        return hidden + inner.mT


class Backbone(nn.Module):
    """Turns code vectors into the features of the head, all at the frame rate."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv1d(CODE_DIM, MODEL_DIM, 7, padding=3)
        self.pos_net = nn.Sequential(
            ResidualBlock(),
            ResidualBlock(),
            AttentionBlock(),
            ResidualBlock(),
            ResidualBlock(),
            group_norm(),
        )
        self.norm = ConditionedNorm()
        self.convnext = nn.ModuleList(ConvNeXtBlock() for _ in range(NUM_BLOCKS))
        self.final_layer_norm = nn.LayerNorm(MODEL_DIM, eps=_EPS)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, 512, F) to (B, F, 768)."""
        hidden = self.norm(self.pos_net(self.embed(vectors)).mT).mT  # (B, C, F)
        for block in self.convnext:
            hidden = block(hidden)
        return self.final_layer_norm(hidden.mT)


class SpectrumHead(nn.Module):
    """Turns magnitude and phase of each frame into samples by overlap-add, "same" padding."""

    window: Tensor  # (fft_length,)

    def __init__(self, hop_length: int) -> None:
        super().__init__()
        self.hop_length, self.fft_length = hop_length, 4 * hop_length
        self.out = nn.Linear(MODEL_DIM, self.fft_length + 2)
        self.register_buffer("window", torch.hann_window(self.fft_length), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, F, 768) to (B, F hop)."""
        magnitude, phase = self.out(features).mT.chunk(2, dim=1)  # (B, fft / 2 + 1, F) each
        magnitude = magnitude.exp().clip(max=_MAX_MAGNITUDE)
        frames = torch.fft.irfft(torch.polar(magnitude, phase), self.fft_length, dim=1)
        frames = frames * self.window[:, None]
        envelope = self.window.square()[:, None].expand_as(frames[:1])
        audio = self._overlap_add(frames) / self._overlap_add(envelope)
        return audio

    def _overlap_add(self, frames: Tensor) -> Tensor:
        """(B, fft, F) to (B, F hop); (fft - hop) / 2 samples are dropped at both ends."""
        length = (frames.shape[2] - 1) * self.hop_length + self.fft_length
        shape = {"output_size": (1, length), "kernel_size": (1, self.fft_length)}
        summed = functional.fold(frames, stride=(1, self.hop_length), **shape)[:, 0, 0]
        edge = (self.fft_length - self.hop_length) // 2
        return summed[:, edge:-edge]
