"""LatentLM: one causal Transformer over tokens and latents (paper section 3, Equation 1).

A token is decoded by softmax(h W_v), a latent by a diffusion head conditioned on the hidden state.
The hidden state that predicts element i is the output at element i - 1; it sees x_<i but not x_i.

Wherever a latent could follow, the softmax head also predicts whether one does: its target there is
the modality's `slot` token, and EOD at the end. So L_LM trains the switch between the heads.

B rows, T elements, D_k latent size of modality k, d model width, V vocabulary.
"""

from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.config import Config
from latentspeech.core.diffusion.head import DiffusionHeadConfig
from latentspeech.core.diffusion.latent_diffusion import LatentDiffusion
from latentspeech.core.diffusion.process import DiffusionConfig
from latentspeech.core.latents.normalizer import LatentNormalizer
from latentspeech.core.lm.mixed_sequence import NO_NEIGHBOUR, TOKEN, MixedBatch
from latentspeech.core.nn.transformer import Transformer, TransformerConfig
from latentspeech.core.tensors import check_shape


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


class LatentLM(nn.Module):
    """Embeddings, backbone, softmax head; a projection, normaliser and head for each modality."""

    def __init__(self, config: LatentLMConfig) -> None:
        super().__init__()
        self.config = config
        width = config.backbone.model_dim
        self.token_embedding = nn.Embedding(config.vocab_size, width)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        self.neighbour_embeddings = nn.ModuleList(
            nn.Embedding(1 + config.vocab_size, width, padding_idx=0)
            for _ in range(config.num_neighbours)
        )
        for embedding in self.neighbour_embeddings:
            assert isinstance(embedding, nn.Embedding)
            nn.init.normal_(embedding.weight[1:], std=0.02)
        self.input_projections = nn.ModuleList()
        self.normalizers = nn.ModuleList()
        self.diffusions = nn.ModuleList()
        for modality in config.modalities:
            projection = nn.Linear(modality.latent_dim, width, bias=False)
            nn.init.normal_(projection.weight, std=0.02)
            self.input_projections.append(projection)
            self.normalizers.append(LatentNormalizer(modality.latent_dim))
            head = DiffusionHeadConfig(
                latent_dim=modality.latent_dim,
                model_dim=width,
                cond_dim=width,
                num_layers=modality.head_layers,
                ffn_dim=modality.head_ffn_dim,
            )
            self.diffusions.append(LatentDiffusion(modality.diffusion, head))
        self.backbone = Transformer(config.backbone)
        self.token_head: nn.Linear | None = None
        if config.token_head == "separate":
            self.token_head = nn.Linear(width, config.vocab_size, bias=False)
            nn.init.normal_(self.token_head.weight, std=0.02)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.token_embedding.weight.device

    def set_statistics(self, modality: int, mean: Tensor, std: Tensor) -> None:
        """Stores the mean and standard deviation (D_k,) of a modality's training latents."""
        normalizer = self.normalizers[modality]
        assert isinstance(normalizer, LatentNormalizer)
        for name, tensor in (("mean", mean), ("std", std)):
            check_shape(name, tensor, len(normalizer.mean))
        normalizer.mean.copy_(mean)
        normalizer.std.copy_(std)

    def normalize(self, modality: int, latents: Tensor) -> Tensor:
        """Scales raw latents (..., D_k) of a modality as the model needs them."""
        normalizer = self.normalizers[modality]
        assert isinstance(normalizer, LatentNormalizer)
        return normalizer.normalize(latents)

    def denormalize(self, modality: int, latents: Tensor) -> Tensor:
        """The inverse of `normalize`."""
        normalizer = self.normalizers[modality]
        assert isinstance(normalizer, LatentNormalizer)
        return normalizer.denormalize(latents)

    def diffusion(self, modality: int) -> LatentDiffusion:
        """The diffusion head of a modality."""
        diffusion = self.diffusions[modality]
        assert isinstance(diffusion, LatentDiffusion)
        return diffusion

    def embed(self, batch: MixedBatch) -> Tensor:
        """X^0: the inputs of the backbone, (B, T, d)."""
        # What a batch lacks runs on nothing: cut over processes, all must have the same gradients.
        neighbours = batch.neighbour_ids
        if not neighbours.shape[-1]:
            shape = (*batch.kinds.shape, self.config.num_neighbours)
            neighbours = neighbours.new_full(shape, NO_NEIGHBOUR)
        x = self.embed_tokens(batch.token_ids, neighbours)  # (B, T, d)
        x = x * (batch.kinds == TOKEN)[..., None]
        for modality, latents in enumerate(batch.latents):
            inputs = self.embed_latents(modality, self.normalize(modality, latents))
            x = x.masked_scatter((batch.kinds == 1 + modality)[..., None], inputs.to(x.dtype))
        return x

    def embed_tokens(self, ids: Tensor, neighbours: Tensor | None) -> Tensor:
        """Embeds tokens (...) and the ids beside them (..., C or 0) -> backbone inputs (..., d).

        Each of the C places has its own embedding, which is added to the token's. NO_NEIGHBOUR adds
        nothing; None: no token has ids beside it.
        """
        x: Tensor = self.token_embedding(ids)
        if neighbours is not None and neighbours.shape[-1]:
            places = neighbours.unbind(-1)
            for embedding, beside in zip(self.neighbour_embeddings, places, strict=True):
                x = x + embedding(beside - NO_NEIGHBOUR)
        return x

    def embed_latents(self, modality: int, normalized: Tensor) -> Tensor:
        """Projects normalised latents (..., D_k) -> inputs of the backbone (..., d)."""
        projection = self.input_projections[modality]
        assert isinstance(projection, nn.Linear)
        inputs: Tensor = projection(normalized.to(projection.weight.dtype))
        return inputs

    def token_logits(self, hidden: Tensor) -> Tensor:
        """h W_v: hidden (..., d) -> logits (..., V)."""
        head = self.token_head
        weight = self.token_embedding.weight if head is None else head.weight
        return functional.linear(hidden, weight)

    def forward(self, batch: MixedBatch) -> Tensor:
        """Hidden states (B, T, d); the one at element i - 1 predicts element i."""
        hidden: Tensor = self.backbone(self.embed(batch), batch.segment_ids)
        return hidden
