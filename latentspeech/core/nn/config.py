"""The sizes of the Transformer, and the constants that torch and ONNX Runtime share."""

from typing import Literal

from pydantic import Field, model_validator

from latentspeech.core.config import Config

NORM_EPS = 1e-5
ROPE_THETA = 10_000.0

FeedForwardKind = Literal["swiglu", "gelu"]


class TransformerConfig(Config):
    """Sizes of the backbone."""

    model_dim: int = Field(1024, ge=1, description="width of the hidden state")
    num_layers: int = Field(24, ge=1, description="blocks")
    num_heads: int = Field(16, ge=1, description="query heads")
    num_kv_heads: int = Field(16, ge=1, description="key/value heads; fewer is grouped-query")
    head_dim: int = Field(64, ge=2, multiple_of=2, description="width of a head")
    ffn_dim: int = Field(4096, ge=1, description="inner width of the feed-forward network")
    ffn_kind: FeedForwardKind = Field("gelu", description="swiglu (images, MLLM), gelu (TTS)")
    causal: bool = Field(True, description="a position sees only earlier ones; false: it sees all")
    rotary: bool = Field(True, description="RoPE; false: positions are added to the inputs")
    rope_theta: float = Field(ROPE_THETA, gt=1, description="base of the rotary wavelengths")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the output of each sublayer")

    @model_validator(mode="after")
    def _check(self) -> "TransformerConfig":
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} must be a multiple of num_kv_heads {self.num_kv_heads}"
            )
        if not self.rotary and self.rope_theta != ROPE_THETA:
            raise ValueError(
                f"rope_theta {self.rope_theta:g} has no effect with rotary: false; expected the "
                f"default {ROPE_THETA:g}; leave it out or set rotary: true"
            )
        return self
