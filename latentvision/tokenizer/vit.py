"""The ViT under the tokenizer's encoder and decoder: blocks of BEiT-3's shape (paper H.2).

Dosovitskiy et al. 2021, arXiv 2010.11929, with the norms of BEiT-3 (Wang et al. 2022, arXiv
2208.10442; "sub-LN" of arXiv 2210.06423): one before each sublayer and one before its last matrix.
It differs from the core's Transformer in what BEiT-3's weights need: LayerNorm, biases, and those
inner norms. Attention itself is the core's.

B images, N positions, D model width.
"""

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.config import Config
from latentspeech.core.nn.attention import attend
from latentspeech.core.nn.transformer import init_linear_layers

NORM_EPS = 1e-5


class ViTConfig(Config):
    """Sizes of one ViT; the defaults are the paper's, ViT-B."""

    model_dim: int = Field(768, ge=1, description="width of the hidden state")
    num_layers: int = Field(12, ge=1, description="blocks")
    num_heads: int = Field(12, ge=1, description="attention heads; divides model_dim")
    ffn_dim: int = Field(3072, ge=1, description="inner width of the feed-forward network")

    @model_validator(mode="after")
    def _check(self) -> "ViTConfig":
        if self.model_dim % self.num_heads:
            raise ValueError(
                f"model_dim {self.model_dim} must be a multiple of num_heads {self.num_heads}"
            )
        return self


class ViTBlock(nn.Module):
    """x + W norm(attention(norm x)), then x + W norm(GELU(W norm x))."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        width, inner = config.model_dim, config.ffn_dim
        self.num_heads = config.num_heads
        self.attention_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_inner_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.out = nn.Linear(width, width)
        self.ffn_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.up = nn.Linear(width, inner)
        self.ffn_inner_norm = nn.LayerNorm(inner, eps=NORM_EPS)
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, N, D) -> (B, N, D); every position sees all others."""
        batch, length, width = x.shape
        heads = self.qkv(self.attention_norm(x)).view(batch, length, 3, self.num_heads, -1)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # (B, heads, N, D / heads) each
        y = attend(q, k, v, "all").transpose(1, 2).reshape(batch, length, width)
        x = x + self.out(self.attention_inner_norm(y))
        hidden = functional.gelu(self.up(self.ffn_norm(x)))  # (B, N, ffn_dim)
        return x + self.down(self.ffn_inner_norm(hidden))


class ViT(nn.Module):
    """Blocks and a final norm; positions are the caller's."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ViTBlock(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.model_dim, eps=NORM_EPS)
        init_linear_layers(self, config.num_layers)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, N, D), with positions -> (B, N, D)."""
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


def position_table(num_positions: int, model_dim: int) -> nn.Parameter:
    """Learned positions (N, D)."""
    return nn.Parameter(torch.empty(num_positions, model_dim).normal_(std=0.02))
