"""The sizes of a multimodal model that is made in milliseconds, for tests."""

from latentspeech.core.nn.config import TransformerConfig
from latentvision.mllm.models.latent_lm import MultimodalLMConfig

TINY = MultimodalLMConfig(
    backbone=TransformerConfig(
        model_dim=32,
        num_layers=2,
        num_heads=2,
        num_kv_heads=2,
        head_dim=16,
        ffn_dim=48,
        ffn_kind="swiglu",
    ),
    head_layers=2,
    head_ffn_dim=48,
)
