"""The multimodal LatentLM: core's model with the vocabulary of pages, pictures its modality.

Its twin of codes (VQ-MLLM) has the same backbone and no modality, because codes are tokens.

The defaults are the paper's sizes (5.2, appendix D): a backbone of 1.3B and a head of six layers.

N latents of a picture, D latent size.
"""

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.diffusion.config import DiffusionConfig
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.nn.config import TransformerConfig
from latentvision.mllm.tokens.vocabulary import Vocabulary

PAPER_BACKBONE = TransformerConfig(
    model_dim=2048,
    num_layers=24,
    num_heads=16,
    num_kv_heads=16,
    head_dim=128,
    ffn_dim=6144,
    ffn_kind="swiglu",
)


class MultimodalLMConfig(Config):
    """Sizes of the model, and its diffusion."""

    backbone: TransformerConfig = Field(PAPER_BACKBONE, description="the causal Transformer")
    head_layers: int = Field(6, ge=1, description="blocks of the diffusion head")
    head_ffn_dim: int = Field(
        8192, ge=1, description="inner width of its SwiGLU, 4 d; not printed for this model"
    )
    diffusion: DiffusionConfig = Field(DiffusionConfig(), description="schedule, target, loss")
    diffusion_weight: float = Field(1.0, ge=0, description="alpha; not in the paper")


def multimodal_lm_config(
    vocabulary: Vocabulary, num_latents: int, latent_dim: int, config: MultimodalLMConfig
) -> LatentLMConfig:
    """The LatentLM whose only modality is pictures of `num_latents` latents of `latent_dim`."""
    picture = ModalityConfig(
        name="image",
        latent_dim=latent_dim,
        bod_id=vocabulary.boi,
        eod_id=vocabulary.eoi,
        slot_id=vocabulary.slot,
        head_layers=config.head_layers,
        head_ffn_dim=config.head_ffn_dim,
        num_latents=num_latents,
        diffusion=config.diffusion,
        diffusion_weight=config.diffusion_weight,
    )
    return LatentLMConfig(
        backbone=config.backbone, vocab_size=vocabulary.size, modalities=(picture,)
    )


def code_lm_config(vocabulary: Vocabulary, backbone: TransformerConfig) -> LatentLMConfig:
    """The twin of codes: a language model of the vocabulary, which has the codes at its end."""
    return LatentLMConfig(backbone=backbone, vocab_size=vocabulary.size)
