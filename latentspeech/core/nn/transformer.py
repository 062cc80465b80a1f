"""The Transformer under every model: pre-RMSNorm, no biases (paper 3, H.3, H.5).

`forward` is for whole sequences (padded on the right or packed), `step` for prefill and generation
with a KV cache; both run the same layers, so prefill + step equals forward. Without causal order it
is the bidirectional Transformer of a ViT or a DiT, which has no step.

B batch, T positions, D model width.
"""

import torch
from torch import Tensor, nn

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.attention import Attention, AttentionContext
from latentspeech.core.nn.config import NORM_EPS, TransformerConfig
from latentspeech.core.nn.feed_forward import build_feed_forward
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.rope import rotary_angles
from latentspeech.core.nn.sequence_mask import AttentionMask, SequenceMask
from latentspeech.core.tensors import length_mask


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
    """Maps embedded inputs to normalised hidden states, [h_1 .. h_N] = RMSNorm(X^L)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            TransformerBlock(config, layer) for layer in range(config.num_layers)
        )
        self.norm = nn.RMSNorm(config.model_dim, eps=NORM_EPS)
        init_linear_layers(self, config.num_layers)

    def forward(
        self, x: Tensor, segment_ids: Tensor | None = None, block_ids: Tensor | None = None
    ) -> Tensor:
        """Runs whole sequences at once.

        Args:
            x: (B, T, D) embedded inputs, padded on the right.
            segment_ids: (B, T); elements see only their own segment and their positions restart in
                each, so packed sequences never leak into each other. None: one sequence a row.
            block_ids: (B, T); elements of one block see each other in both directions; -1 is
                outside all blocks. None: no blocks.

        Returns:
            (B, T, D) hidden states after the final norm.

        Raises:
            ConfigError: block_ids were given, but the Transformer has no causal order.
        """
        return self._run(x, whole_context(self.config, x, segment_ids, block_ids))

    def init_state(self, batch_size: int, max_length: int) -> KVCache:
        """An empty cache for `batch_size` sequences of at most `max_length` positions."""
        return empty_cache(self.config, next(self.parameters()), batch_size, max_length)

    def step(
        self,
        x: Tensor,
        state: KVCache,
        num_valid: Tensor | None = None,
        block_ids: Tensor | None = None,
    ) -> tuple[Tensor, KVCache]:
        """Runs the next T positions of every row; prefill is a step of many positions.

        Args:
            x: (B, T, D) embedded inputs, padded on the right.
            state: the cache; it is written in place and returned.
            num_valid: (B,) how many of the T are real in each row, 0 to T; None: all.
            block_ids: (B, T) as in `forward`. One step must hold a whole block, because the cache
                does not remember which positions belong to one.

        Returns:
            (B, T, D) hidden states (meaningless at padding) and the cache.

        Raises:
            ConfigError: the cache is too small.
        """
        hidden = self._run(x, step_context(self.config, x, state, num_valid, block_ids))
        state.advance(x.shape[1], num_valid)
        return hidden, state

    def _run(self, x: Tensor, context: AttentionContext) -> Tensor:
        for layer in self.layers:
            x = layer(x, context)
        return self.norm(x)


def init_linear_layers(module: nn.Module, num_layers: int) -> None:
    """Draws normal matrices of std 0.02; those that end a sublayer, / sqrt(2 num_layers)."""
    for name, parameter in module.named_parameters():
        if parameter.dim() == 2:
            residual = name.endswith(("out.weight", "down.weight"))
            scale = (2 * num_layers) ** -0.5 if residual else 1.0
            nn.init.normal_(parameter, std=0.02 * scale)


def empty_cache(
    config: TransformerConfig, like: Tensor, batch_size: int, max_length: int
) -> KVCache:
    """A cache for `max_length` positions a row, of `like`'s dtype and device.

    Raises:
        ConfigError: the Transformer has no causal order.
    """
    if not config.causal:
        raise ConfigError(
            "a Transformer with causal: false has no cache and no step, because every new position "
            "changes all others; expected causal: true, or call forward on the whole sequence"
        )
    shape = (config.num_layers, batch_size, config.num_kv_heads, max_length, config.head_dim)
    return KVCache(
        keys=torch.zeros(shape, dtype=like.dtype, device=like.device),
        values=torch.zeros(shape, dtype=like.dtype, device=like.device),
        lengths=torch.zeros(batch_size, dtype=torch.long, device=like.device),
    )


def whole_context(
    config: TransformerConfig, x: Tensor, segment_ids: Tensor | None, block_ids: Tensor | None
) -> AttentionContext:
    """Positions, angles and mask of whole sequences x (B, T, D), as `Transformer.forward` says."""
    batch, length, _ = x.shape
    index = torch.arange(length, device=x.device)
    mask = SequenceMask.whole(index, config.causal, segment_ids, block_ids)
    positions = index.expand(batch, length) if mask.first is None else index - mask.first
    # A GPU never holds a T x T mask. On a CPU FlexAttention has no backward pass.
    return _context(config, positions, mask.prepare(flex=x.device.type == "cuda"), None)


def step_context(
    config: TransformerConfig,
    x: Tensor,
    state: KVCache,
    num_valid: Tensor | None,
    block_ids: Tensor | None,
) -> AttentionContext:
    """Positions, angles and mask of the next positions of a cache, as `Transformer.step` says."""
    num_new = x.shape[1]
    positions = state.positions(num_new)
    if block_ids is not None and num_valid is not None:
        block_ids = block_ids.where(length_mask(num_valid, num_new), -1)  # no element sees padding
    mask = state.mask(positions, block_ids)
    return _context(config, positions, mask.prepare(flex=False), state)


def _context(
    config: TransformerConfig, positions: Tensor, mask: AttentionMask, cache: KVCache | None
) -> AttentionContext:
    rotary = None
    if config.rotary:
        rotary = rotary_angles(positions, config.head_dim, config.rope_theta)
    return AttentionContext(positions, rotary, mask, cache)
