"""The sizes of a backbone that all generators share, so that they can be compared (paper H.3).

All of them are pre-RMSNorm Transformers with SwiGLU and without biases; they differ in who sees
whom and in how they know positions.
"""

from pydantic import Field, model_validator

from latentspeech.core.config import Config
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.modulated_transformer import ModulatedTransformerConfig


class BackboneConfig(Config):
    """Sizes of a Transformer of images."""

    model_dim: int = Field(1024, ge=1, description="width of the hidden state")
    num_layers: int = Field(24, ge=1, description="blocks")
    num_heads: int = Field(16, ge=1, description="query heads")
    num_kv_heads: int = Field(16, ge=1, description="key/value heads; fewer is grouped-query")
    ffn_dim: int = Field(
        4096, ge=1, description="inner width of SwiGLU; 4 d, for DiT 8/3 d in the paper"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="on the output of each sublayer")

    @model_validator(mode="after")
    def _check(self) -> "BackboneConfig":
        if self.model_dim % self.num_heads:
            raise ValueError(
                f"model_dim {self.model_dim} is not a multiple of num_heads {self.num_heads}; "
                "expected heads of equal width: change one of them"
            )
        return self

    def causal(self) -> TransformerConfig:
        """A latent sees those before it; positions are rotary, in raster order."""
        return self._transformer(causal=True, rotary=True)

    def bidirectional(self) -> TransformerConfig:
        """All latents see each other; positions are added to the inputs."""
        return self._transformer(causal=False, rotary=False)

    def modulated(self) -> ModulatedTransformerConfig:
        """The bidirectional one, with six-way AdaLN-Zero by a condition of the same width."""
        sizes = self.bidirectional().model_dump()
        return ModulatedTransformerConfig(**sizes, cond_dim=self.model_dim)

    def _transformer(self, causal: bool, rotary: bool) -> TransformerConfig:
        return TransformerConfig(
            **self.model_dump(),
            head_dim=self.model_dim // self.num_heads,
            ffn_kind="swiglu",
            causal=causal,
            rotary=rotary,
        )
