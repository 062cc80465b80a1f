"""The diffusion head: a small residual network per latent (paper section 3.1, Head Architecture).

Its blocks are pre-RMSNorm and SwiGLU. AdaLN-Zero modulates them by the sum of the time embedding
and the projected hidden state. The paper does not print the sizes of the head. Without biases and
with a final two-way modulation, the models have the numbers of parameters that Table 1 and H.2 to
H.5 give (tests/contracts/test_parameter_budgets.py).

N latents, D latent dimension, d head width.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.diffusion.config import MAX_PERIOD, TIME_SCALE, DiffusionHeadConfig
from latentspeech.core.nn.config import NORM_EPS
from latentspeech.core.nn.feed_forward import SwiGLU
from latentspeech.core.nn.norm import AdaLNZero, modulate

Modulation = tuple[Tensor, ...]  # shift, 1 + scale and, except for the output, gate


class TimeEmbedding(nn.Module):
    """Sinusoids of the time in float32, then two layers."""

    def __init__(self, embedding_dim: int, model_dim: int) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.first = nn.Linear(embedding_dim, model_dim, bias=False)
        self.second = nn.Linear(model_dim, model_dim, bias=False)
        nn.init.normal_(self.first.weight, std=0.02)
        nn.init.normal_(self.second.weight, std=0.02)

    def forward(self, t: Tensor) -> Tensor:
        """Times t (N,) -> (N, d)."""
        waves = time_sinusoids(t, self.embedding_dim)
        return self.second(functional.silu(self.first(waves.to(self.first.weight.dtype))))


def time_sinusoids(t: Tensor, size: int) -> Tensor:
    """Cosines and sines of 1000 t at geometric frequencies; t (N,) -> float32 (N, size)."""
    half = torch.arange(size // 2, device=t.device, dtype=torch.float32)
    frequencies = torch.exp(-math.log(MAX_PERIOD) * half / (size // 2))
    angles = t.float()[:, None] * TIME_SCALE * frequencies
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


class HeadBlock(nn.Module):
    """x + gate * SwiGLU(modulate(norm(x)))."""

    def __init__(self, config: DiffusionHeadConfig) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(config.model_dim, eps=NORM_EPS, elementwise_affine=False)
        self.modulation = AdaLNZero(config.model_dim, config.model_dim, 3)
        self.ffn = SwiGLU(config.model_dim, config.ffn_dim)

    def forward(self, x: Tensor, modulation: Modulation) -> Tensor:
        """Maps x (N, d) and this block's modulation of it -> (N, d)."""
        shift, scale, gate = modulation
        return torch.addcmul(x, gate, self.ffn(modulate(self.norm(x), shift, scale)))


class DiffusionHead(nn.Module):
    """Maps noisy latent, time and hidden state to a prediction, which is zero before training."""

    def __init__(self, config: DiffusionHeadConfig) -> None:
        super().__init__()
        self.config = config
        width = config.model_dim
        self.input = nn.Linear(config.latent_dim, width, bias=False)
        self.time = TimeEmbedding(config.time_embedding_dim, width)
        self.condition = nn.Linear(config.cond_dim, width, bias=False)
        self.blocks = nn.ModuleList(HeadBlock(config) for _ in range(config.num_layers))
        self.norm = nn.RMSNorm(width, eps=NORM_EPS, elementwise_affine=False)
        self.modulation = AdaLNZero(width, width, 2)
        self.output = nn.Linear(width, config.latent_dim, bias=False)
        nn.init.zeros_(self.output.weight)

    def prepare_condition(self, hidden: Tensor) -> Tensor:
        """Projects hidden states (N, cond_dim) -> (N, d), once for all solver steps."""
        prepared: Tensor = self.condition(hidden)
        return prepared

    def modulations(self, prepared: Tensor, t: Tensor) -> list[Modulation]:
        """The shifts, scales and gates of each block, and last the shift and scale of the output.

        Args:
            prepared: (..., d) from `prepare_condition`.
            t: (...) times, of a shape that broadcasts to it.
        """
        condition = prepared + self.time(t.flatten()).unflatten(0, t.shape)  # (..., d)
        layers = [*(block.get_submodule("modulation") for block in self.blocks), self.modulation]
        chunks = (layer(condition) for layer in layers)
        return [(shift, 1 + scale, *gate) for shift, scale, *gate in chunks]

    def denoise(self, x_t: Tensor, modulations: Sequence[Modulation]) -> Tensor:
        """The prediction at x_t (N, D), with modulations of shape (N, d)."""
        x = self.input(x_t.to(self.input.weight.dtype))
        *of_blocks, (shift, scale) = modulations
        for block, modulation in zip(self.blocks, of_blocks, strict=True):
            x = block(x, modulation)
        prediction: Tensor = self.output(modulate(self.norm(x), shift, scale))
        return prediction

    def forward(self, x_t: Tensor, t: Tensor, hidden: Tensor, repeats: int = 1) -> Tensor:
        """x_t (N R, D), t (N R,), hidden (N, cond_dim) for R `repeats` -> prediction (N R, D)."""
        prepared = self.prepare_condition(hidden).repeat_interleave(repeats, dim=0)  # (N R, d)
        return self.denoise(x_t, self.modulations(prepared, t))
