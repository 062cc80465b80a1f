"""The settings of a LatentLM: its backbone, its vocabulary and its kinds of latents."""

from typing import Any, Literal

from pydantic import Field, model_validator

from latentspeech.core.config import Config
from latentspeech.core.diffusion.config import DiffusionConfig
from latentspeech.core.nn.config import TransformerConfig


class ModalityConfig(Config):
    """One kind of latent and the three tokens that frame it."""

    name: str = Field(description="name of the modality: speech, image, ...")
    latent_dim: int = Field(ge=1, description="channels of a latent")
    bod_id: int = Field(ge=0, description="BOD, after which latents follow")
    eod_id: int = Field(ge=0, description="EOD, which ends the latents")
    slot_id: int = Field(ge=0, description="target of the softmax head if a latent is next")
    head_layers: int = Field(3, ge=1, description="blocks of the diffusion head")
    head_ffn_dim: int = Field(
        4096, ge=1, description="inner width of the head's SwiGLU; the paper's is 4 d"
    )
    num_latents: int | None = Field(
        None, ge=1, description="latents between BOD and EOD; None: the model predicts EOD"
    )
    diffusion: DiffusionConfig = Field(DiffusionConfig(), description="schedule, target, loss")
    diffusion_weight: float = Field(1.0, ge=0, description="alpha_k in L_LM + sum alpha_k L_diff,k")

    @model_validator(mode="before")
    @classmethod
    def _read_predict_end(cls, values: Any) -> Any:
        """Accepts `predict_end: true` of older model directories, which means no `num_latents`."""
        if isinstance(values, dict) and "predict_end" in values:
            if not values["predict_end"]:
                raise ValueError(
                    "predict_end: false is no longer a setting; give num_latents, the number of "
                    "latents between BOD and EOD"
                )
            if values.get("num_latents") is not None:
                raise ValueError(
                    "predict_end: true means that the model ends the latents, and num_latents that "
                    "their number does; leave predict_end out"
                )
            values = {name: value for name, value in values.items() if name != "predict_end"}
        return values


class LatentLMConfig(Config):
    """Backbone, vocabulary and modalities."""

    backbone: TransformerConfig = Field(TransformerConfig(), description="the causal Transformer")
    vocab_size: int = Field(ge=1, description="number of tokens, with those of the modalities")
    num_neighbours: int = Field(0, ge=0, description="more ids that a token may have (TokenSpan)")
    modalities: tuple[ModalityConfig, ...] = Field(
        (), description="kinds of latents; empty: a plain language model"
    )
    token_head: Literal["tied", "separate"] = Field("tied", description="W_v shared with the input")

    @model_validator(mode="after")
    def _check(self) -> "LatentLMConfig":
        if not self.backbone.causal:
            raise ValueError(
                "backbone.causal is false; expected true, because a hidden state must not see the "
                "element that it predicts; leave the setting out"
            )
        names = [modality.name for modality in self.modalities]
        ids = [i for m in self.modalities for i in (m.bod_id, m.eod_id, m.slot_id)]
        if len(set(names)) < len(names) or len(set(ids)) < len(ids):
            raise ValueError("names and bod/eod/slot ids of the modalities must all differ")
        if ids and max(ids) >= self.vocab_size:
            raise ValueError(f"id {max(ids)} is outside the vocabulary of {self.vocab_size}")
        return self

    @property
    def latent_dims(self) -> tuple[int, ...]:
        """The latent size of each modality."""
        return tuple(modality.latent_dim for modality in self.modalities)
