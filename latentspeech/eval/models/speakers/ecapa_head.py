"""The ECAPA-TDNN on top of WavLM in UniSpeech's speaker verification models.

It is the small form of Desplanques et al., 2020, arXiv 2005.07143: C = 512 channels throughout,
blocks joined to 1536 channels, eight scales in a block. It differs from the paper in four points:
the input is a weighted sum of WavLM's layers, each channel normalised over the utterance; ReLU
comes before batch norm; the attention of the pooling sees only the frames (no global context); the
last linear layer has no norm after it.

L WavLM layers (L + 1 with the input), F frames, D features, C channels, E embedding dimensions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

JOINED_CHANNELS = 1536
NUM_SCALES = 8
BOTTLENECK = 128  # width inside the squeeze-and-excitation gates and the attention
_OFFSET = 1e-6  # added to the features before they are normalised, as in training


class ConvReluNorm(nn.Module):
    """(B, C, F) -> (B, C', F)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int = 1
    ) -> None:
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2
        self.conv = nn.Conv1d(
            in_channels, out_channels, kernel_size, padding=padding, dilation=dilation
        )
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, hidden: Tensor) -> Tensor:
        """Applies convolution, ReLU and batch norm."""
        return self.norm(functional.relu(self.conv(hidden)))


class MultiScale(nn.Module):
    """Res2: convolves each channel group plus the previous result; the last group is copied."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        width = channels // NUM_SCALES
        self.scales = nn.ModuleList(
            ConvReluNorm(width, width, 3, dilation) for _ in range(NUM_SCALES - 1)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C, F) -> (B, C, F)."""
        *groups, last = hidden.chunk(NUM_SCALES, dim=1)
        done = [self.scales[0](groups[0])]
        for scale, group in zip(self.scales[1:], groups[1:], strict=True):
            done.append(scale(done[-1] + group))
        return torch.cat([*done, last], dim=1)


class ChannelGate(nn.Module):
    """Squeeze and excitation: scales each channel by a gate computed from all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, BOTTLENECK)
        self.excite = nn.Linear(BOTTLENECK, channels)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C, F) -> (B, C, F)."""
        gate = self.excite(functional.relu(self.squeeze(hidden.mean(dim=2))))  # (B, C)
        return hidden * torch.sigmoid(gate)[:, :, None]


class Block(nn.Module):
    """Mixes channels, convolves at eight scales, mixes, gates, and adds its input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.enter = ConvReluNorm(channels, channels, 1)
        self.multi_scale = MultiScale(channels, dilation)
        self.leave = ConvReluNorm(channels, channels, 1)
        self.gate = ChannelGate(channels)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C, F) -> (B, C, F)."""
        return hidden + self.gate(self.leave(self.multi_scale(self.enter(hidden))))


class AttentivePooling(nn.Module):
    """Mean and standard deviation over frames, with attention weights for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Conv1d(channels, BOTTLENECK, 1)
        self.score = nn.Conv1d(BOTTLENECK, channels, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C, F) -> (B, 2 C)."""
        weights = self.score(torch.tanh(self.hidden(hidden))).softmax(dim=2)  # (B, C, F)
        mean = (weights * hidden).sum(dim=2)
        variance = (weights * hidden.square()).sum(dim=2) - mean.square()
        return torch.cat([mean, variance.clamp(min=1e-9).sqrt()], dim=1)


class EcapaHead(nn.Module):
    """All layers of WavLM -> one embedding."""

    def __init__(
        self, num_layers: int, feature_dim: int, channels: int = 512, embedding_dim: int = 256
    ) -> None:
        super().__init__()
        self.layer_weights = nn.Parameter(torch.zeros(num_layers + 1))
        self.enter = ConvReluNorm(feature_dim, channels, 5)
        self.blocks = nn.ModuleList(Block(channels, dilation) for dilation in (2, 3, 4))
        self.join = nn.Conv1d(3 * channels, JOINED_CHANNELS, 1)
        self.pooling = AttentivePooling(JOINED_CHANNELS)
        self.pooled_norm = nn.BatchNorm1d(2 * JOINED_CHANNELS)
        self.embed = nn.Linear(2 * JOINED_CHANNELS, embedding_dim)

    def forward(self, layers: Tensor) -> Tensor:
        """(L + 1, B, F, D) -> (B, E)."""
        weights = self.layer_weights.softmax(dim=0)  # (L + 1,)
        features = torch.tensordot(weights, layers, dims=1).transpose(1, 2) + _OFFSET  # (B, D, F)
        hidden = self.enter(functional.instance_norm(features))  # (B, C, F)
        outputs = []
        for block in self.blocks:
            hidden = block(hidden)
            outputs.append(hidden)
        joined = functional.relu(self.join(torch.cat(outputs, dim=1)))  # (B, 1536, F)
        return self.embed(self.pooled_norm(self.pooling(joined)))
