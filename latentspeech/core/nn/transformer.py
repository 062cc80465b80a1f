"""The causal Transformer under every model: pre-RMSNorm, RoPE, no biases (paper 3, H.3, H.5).

`forward` is for training (whole sequences, padded on the right or packed), `step` for prefill and
generation with a KV cache; both run the same layers, so prefill + step equals forward.

B batch, T positions, D model width.
"""

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.nn.attention import Attention, AttentionContext
from latentspeech.core.nn.feed_forward import FeedForwardKind, build_feed_forward
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.norm import NORM_EPS
from latentspeech.core.nn.packed_attention import PackedMask, packed_mask, segment_positions
from latentspeech.core.nn.rope import rotary_angles


class TransformerConfig(Config):
    """Sizes of the backbone."""

    model_dim: int = Field(1024, ge=1, description="width of the hidden state")
    num_layers: int = Field(24, ge=1, description="blocks")
    num_heads: int = Field(16, ge=1, description="query heads")
    num_kv_heads: int = Field(16, ge=1, description="key/value heads; fewer is grouped-query")
    head_dim: int = Field(64, ge=2, multiple_of=2, description="width of a head")
    ffn_dim: int = Field(4096, ge=1, description="inner width of the feed-forward network")
    ffn_kind: FeedForwardKind = Field("gelu", description="swiglu (images, MLLM), gelu (TTS)")
    rope_theta: float = Field(10_000.0, gt=1, description="base of the rotary wavelengths")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the output of each sublayer")

    @model_validator(mode="after")
    def _check(self) -> "TransformerConfig":
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} must be a multiple of num_kv_heads {self.num_kv_heads}"
            )
        return self


class TransformerBlock(nn.Module):
    """x + Attention(norm x), then x + FFN(norm x)."""

    def __init__(self, config: TransformerConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.model_dim, eps=NORM_EPS)
        self.attention = Attention(
            layer, config.model_dim, config.num_heads, config.num_kv_heads, config.head_dim
        )
        self.ffn_norm = nn.RMSNorm(config.model_dim, eps=NORM_EPS)
        self.ffn = build_feed_forward(config.ffn_kind, config.model_dim, config.ffn_dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, context: AttentionContext) -> Tensor:
        """x (B, T, D) -> (B, T, D)."""
        x = x + self.dropout(self.attention(self.attention_norm(x), context))
        return x + self.dropout(self.ffn(self.ffn_norm(x)))


class Transformer(nn.Module):
    """Embedded inputs to normalised hidden states, [h_1 .. h_N] = RMSNorm(X^L)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            TransformerBlock(config, layer) for layer in range(config.num_layers)
        )
        self.norm = nn.RMSNorm(config.model_dim, eps=NORM_EPS)
        self._init_weights()

    def _init_weights(self) -> None:
        """Linear layers N(0, 0.02); those that write to the residual stream / sqrt(2 L)."""
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = name.endswith(("out.weight", "down.weight"))
                scale = (2 * self.config.num_layers) ** -0.5 if residual else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)

    def forward(self, x: Tensor, segment_ids: Tensor | None = None) -> Tensor:
        """Training over whole sequences.

        Args:
            x: (B, T, D) embedded inputs, padded on the right.
            segment_ids: (B, T); positions see only their own segment and positions restart in each,
                so packed sequences never leak into each other. None: one sequence a row.

        Returns:
            (B, T, D) hidden states after the final norm.
        """
        batch, length, _ = x.shape
        if segment_ids is None:
            positions = torch.arange(length, device=x.device).expand(batch, length)
            return self._run(x, positions, None, None)
        positions = segment_positions(segment_ids)
        return self._run(x, positions, packed_mask(positions), None)

    def init_state(self, batch_size: int, max_length: int) -> KVCache:
        """An empty cache for `batch_size` sequences of at most `max_length` positions."""
        config = self.config
        like = next(self.parameters())
        shape = (config.num_layers, batch_size, config.num_kv_heads, max_length, config.head_dim)
        return KVCache(
            keys=torch.zeros(shape, dtype=like.dtype, device=like.device),
            values=torch.zeros(shape, dtype=like.dtype, device=like.device),
            lengths=torch.zeros(batch_size, dtype=torch.long, device=like.device),
        )

    def step(
        self, x: Tensor, state: KVCache, num_valid: Tensor | None = None
    ) -> tuple[Tensor, KVCache]:
        """The next T positions of every row; prefill is a step of many.

        Args:
            x: (B, T, D) embedded inputs, padded on the right.
            state: the cache; it is written in place and returned.
            num_valid: (B,) how many of the T are real in each row, 0 to T; None: all.

        Returns:
            (B, T, D) hidden states (rubbish at padding) and the cache.
        """
        num_new = x.shape[1]
        mask = state.attention_mask(num_new)
        hidden = self._run(x, state.positions(num_new), mask, state)
        state.advance(num_new, num_valid)
        return hidden, state

    def _run(
        self, x: Tensor, positions: Tensor, mask: PackedMask | None, cache: KVCache | None
    ) -> Tensor:
        cos, sin = rotary_angles(positions, self.config.head_dim, self.config.rope_theta)
        context = AttentionContext(positions, cos, sin, mask, cache)
        for layer in self.layers:
            x = layer(x, context)
        return self.norm(x)
