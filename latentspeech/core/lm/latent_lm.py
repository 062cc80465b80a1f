"""LatentLM: one causal Transformer over tokens and latents (paper section 3, Equation 1).

A token is decoded by softmax(h W_v), a latent by a diffusion head conditioned on the hidden state.
The hidden state that predicts element i is the output at element i - 1; it sees x_<i but not x_i.

Wherever a latent could follow, the softmax head also predicts whether one does: its target there is
the modality's `slot` token, and EOD at the end. So L_LM trains the switch between the heads.

B rows, T elements, D_k latent size of modality k, d model width, V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.diffusion.config import DiffusionHeadConfig
from latentspeech.core.diffusion.latent_diffusion import LatentDiffusion
from latentspeech.core.latents.normalizer import LatentNormalizer
from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.lm.mixed_batch import MixedBatch
from latentspeech.core.lm.mixed_sequence import NO_NEIGHBOUR, TOKEN
from latentspeech.core.nn.transformer import Transformer
from latentspeech.core.tensors import check_shape


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
