"""A Transformer whose blocks a condition modulates: six-way AdaLN-Zero.

In Peebles and Xie 2023, arXiv 2212.09748, a function of the condition shifts and scales the input
of both sublayers and gates their output. All six vectors are zero in a fresh model, so each block
starts as the identity. As in the LatentLM paper's DiT (5.1.2, H.1) the norm is RMSNorm, without a
gain because the condition scales its output, and nothing has a bias. Attention, feed-forward
network, masks and cache are those of `Transformer`.

B batch, T positions, D model width, C condition width.
"""

from pydantic import Field
from torch import Tensor, nn

from latentspeech.core.nn.attention import Attention, AttentionContext
from latentspeech.core.nn.config import NORM_EPS, TransformerConfig
from latentspeech.core.nn.feed_forward import build_feed_forward
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.norm import AdaLNZero, modulate
from latentspeech.core.nn.transformer import (
    empty_cache,
    init_linear_layers,
    step_context,
    whole_context,
)
from latentspeech.core.tensors import check_shape


class ModulatedTransformerConfig(TransformerConfig):
    """Sizes of the Transformer and of its condition."""

    cond_dim: int = Field(ge=1, description="C, width of the condition; DiT has C = D")


class ModulatedBlock(nn.Module):
    """x + gate Attention(norm x, modulated), then x + gate FFN(norm x, modulated)."""

    def __init__(self, config: ModulatedTransformerConfig, layer: int) -> None:
        super().__init__()
        self.modulation = AdaLNZero(config.cond_dim, config.model_dim, 6)
        self.attention_norm = unit_norm(config.model_dim)
        self.attention = Attention(
            layer, config.model_dim, config.num_heads, config.num_kv_heads, config.head_dim
        )
        self.ffn_norm = unit_norm(config.model_dim)
        self.ffn = build_feed_forward(config.ffn_kind, config.model_dim, config.ffn_dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, condition: Tensor, context: AttentionContext) -> Tensor:
        """x (B, T, D), condition (B, 1 or T, C) -> (B, T, D)."""
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = self.modulation(condition)
        y = modulate(self.attention_norm(x), shift, 1 + scale)
        x = x + gate * self.dropout(self.attention(y, context))
        y = modulate(self.ffn_norm(x), ffn_shift, 1 + ffn_scale)
        return x + ffn_gate * self.dropout(self.ffn(y))


class ModulatedTransformer(nn.Module):
    """Maps embedded inputs and a condition to hidden states; the final norm is modulated too."""

    def __init__(self, config: ModulatedTransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            ModulatedBlock(config, layer) for layer in range(config.num_layers)
        )
        for layer in self.layers:
            init_linear_layers(layer.get_submodule("attention"), config.num_layers)
            init_linear_layers(layer.get_submodule("ffn"), config.num_layers)
        self.norm = unit_norm(config.model_dim)
        self.modulation = AdaLNZero(config.cond_dim, config.model_dim, 2)

    def forward(
        self,
        x: Tensor,
        condition: Tensor,
        segment_ids: Tensor | None = None,
        block_ids: Tensor | None = None,
    ) -> Tensor:
        """Runs whole sequences at once.

        Args:
            x: (B, T, D) embedded inputs, padded on the right.
            condition: (B, C) for whole rows or (B, T, C) for single positions.
            segment_ids: as in `Transformer.forward`.
            block_ids: as in `Transformer.forward`.

        Returns:
            (B, T, D) hidden states after the final norm and its modulation.

        Raises:
            ValueError: the condition has another shape.
            ConfigError: block_ids were given, but the Transformer has no causal order.
        """
        return self._run(x, condition, whole_context(self.config, x, segment_ids, block_ids))

    def init_state(self, batch_size: int, max_length: int) -> KVCache:
        """An empty cache for `batch_size` sequences of at most `max_length` positions."""
        return empty_cache(self.config, next(self.parameters()), batch_size, max_length)

    def step(
        self,
        x: Tensor,
        condition: Tensor,
        state: KVCache,
        num_valid: Tensor | None = None,
        block_ids: Tensor | None = None,
    ) -> tuple[Tensor, KVCache]:
        """Does what `Transformer.step` does, with a condition as in `forward`."""
        context = step_context(self.config, x, state, num_valid, block_ids)
        hidden = self._run(x, condition, context)
        state.advance(x.shape[1], num_valid)
        return hidden, state

    def _run(self, x: Tensor, condition: Tensor, context: AttentionContext) -> Tensor:
        batch, length, _ = x.shape
        if condition.dim() == 2:
            check_shape("condition", condition, batch, self.config.cond_dim)
            condition = condition[:, None]  # (B, 1, C)
        else:
            check_shape("condition", condition, batch, length, self.config.cond_dim)
        for layer in self.layers:
            x = layer(x, condition, context)
        shift, scale = self.modulation(condition)
        return modulate(self.norm(x), shift, 1 + scale)


def unit_norm(model_dim: int) -> nn.RMSNorm:
    """RMSNorm without a learned gain."""
    return nn.RMSNorm(model_dim, eps=NORM_EPS, elementwise_affine=False)
