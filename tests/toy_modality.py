"""The smallest package that a modality can be, on core alone: pictures of shapes.

A patch sigma-VAE, training data from shards of its latents, a LatentLM that gets a class and writes
BOD, 16 latents, EOD and a caption, text as a second source, and a DiT on the same latents.
`tests/contracts/test_second_modality.py` trains and samples them.

B pictures, D latent size.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.data.mixture import MixedData, MixtureConfig
from latentspeech.core.diffusion.config import DiffusionConfig
from latentspeech.core.diffusion.head import TimeEmbedding
from latentspeech.core.diffusion.process import DiffusionProcess
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.sigma_vae import (
    mean_regularizer,
    sample_posterior,
    sample_posteriors,
)
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import latent_lm_loss, loss_counts
from latentspeech.core.lm.mixed_batch import MixedBatch, collate
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence
from latentspeech.core.lm.sampling.generate import token_span
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.modulated_transformer import (
    ModulatedTransformer,
    ModulatedTransformerConfig,
)
from latentspeech.core.nn.sine_positions import grid_positions
from latentspeech.core.nn.transformer import Transformer
from latentspeech.core.tensors import make_generator, randn
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec
from latentspeech.core.train.seeding import seed_initialization
from latentspeech.core.train.task import Losses, Task

SIZE, PATCH, GRID, DIM, NUM_CLASSES = 16, 4, 4, 3, 3
NUM_LATENTS = GRID * GRID
POSTERIOR = SigmaVAEConfig(sigma_std=0.9375)
SIZES: dict[str, Any] = {"model_dim": 32, "num_layers": 2, "num_heads": 2, "num_kv_heads": 2}
SIZES |= {"head_dim": 16, "ffn_dim": 48, "ffn_kind": "swiglu"}
AROUND = SIZES | {"causal": False, "rotary": False}  # of a picture, every patch sees every other
OPTIMIZER = OptimizerConfig(lr=3e-3)

NO_CLASS, BOD, EOD, SLOT, END = range(NUM_CLASSES, NUM_CLASSES + 5)  # below them, the classes
VOCABULARY = END + 1 + NUM_CLASSES
IMAGE = ModalityConfig(
    name="image",
    latent_dim=DIM,
    bod_id=BOD,
    eod_id=EOD,
    slot_id=SLOT,
    head_layers=1,
    head_ffn_dim=48,
    num_latents=NUM_LATENTS,
)


def picture(number: int) -> Tensor:
    """A disc, a square or a cross somewhere, (16, 16) of -1 and 1."""
    place = torch.rand(2, generator=make_generator(0, "picture", number)) * 4 + 5.5
    line = torch.arange(SIZE)
    y, x = (line - place[0]).abs()[:, None], (line - place[1]).abs()[None]  # (16, 1), (1, 16)
    on = (x * x + y * y < 20, torch.maximum(x, y) < 4, torch.minimum(x, y) < 1.5)
    return on[number % NUM_CLASSES].float() * 2 - 1


def caption(label: int) -> list[int]:
    return [END + 1 + label, END + 1 + (label + 1) % NUM_CLASSES, END]


class Numbered:
    """Batches of numbers in random order, of which a subclass makes what a task trains on."""

    def __init__(self, num_items: int) -> None:
        self.num_items = num_items

    def num_windows(self) -> int:
        return 1

    def plan(self, epoch: int, window: int) -> list[list[int]]:
        order = torch.randperm(self.num_items, generator=make_generator(0, "order", epoch))
        return [part.tolist() for part in torch.split(order, 12)]


class Pictures(Numbered):
    def load(self, items: Sequence[int], seed: int) -> Tensor:
        return torch.stack([picture(number) for number in items])


class Latents(Numbered):
    """Latents from shards, a fresh sample each time."""

    def __init__(self, shards: LatentShards) -> None:
        super().__init__(shards.meta.num_items)
        self.shards = shards

    def labels(self, items: Sequence[int]) -> list[int]:
        return [int(self.shards.item(index).group) for index in items]

    def samples(self, items: Sequence[int], generator: torch.Generator) -> list[Tensor]:
        mus = [self.shards.load(index) for index in items]
        return sample_posteriors(POSTERIOR, mus, generator)


class Images(Latents):
    """Class, BOD, latents, EOD, caption; a fourth of the classes is hidden."""

    def load(self, items: Sequence[int], seed: int) -> MixedBatch:
        generator = make_generator(seed, "load")
        hidden = torch.rand(len(items), generator=generator) < 0.25
        rows: list[MixedSequence] = [
            [
                token_span([NO_CLASS if hide else label, BOD]),
                LatentSpan(0, z, target=True, whole=True),
                token_span([EOD, *caption(label)], target=True),
            ]
            for z, label, hide in zip(
                self.samples(items, generator), self.labels(items), hidden.tolist(), strict=True
            )
        ]
        return collate(rows, (DIM,))


class Labelled(Latents):
    """What a DiT learns from: z (B, 16, D) and the classes (B,)."""

    def load(self, items: Sequence[int], seed: int) -> tuple[Tensor, Tensor]:
        z = self.samples(items, make_generator(seed, "load"))
        return torch.stack(z), torch.tensor(self.labels(items))


class Texts(Numbered):
    """Captions without pictures."""

    def __init__(self, latent_dims: tuple[int, ...] = (DIM,)) -> None:
        super().__init__(num_items=24)
        self.latent_dims = latent_dims

    def load(self, items: Sequence[int], seed: int) -> MixedBatch:
        labels = [item % NUM_CLASSES for item in items]
        rows = [[token_span([c]), token_span(caption(c), target=True)] for c in labels]
        return collate(rows, self.latent_dims)


class PatchVAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches_in, self.mean = nn.Linear(PATCH**2, 32), nn.Linear(32, DIM)
        self.latents_in, self.patches_out = nn.Linear(DIM, 32), nn.Linear(32, PATCH**2)
        self.encoder = Transformer(TransformerConfig(**AROUND))
        self.decoder = Transformer(TransformerConfig(**AROUND))
        self.register_buffer("positions", grid_positions(GRID, GRID, 32))

    def encode(self, images: Tensor) -> Tensor:
        """(B, 16, 16) -> mu (B, 16, D)."""
        patches = images.view(-1, GRID, PATCH, GRID, PATCH).transpose(2, 3).flatten(3).flatten(1, 2)
        mu: Tensor = self.mean(self.encoder(self.patches_in(patches) + self.positions))
        return mu

    def decode(self, z: Tensor) -> Tensor:
        """The inverse of `encode`."""
        patches = self.patches_out(self.decoder(self.latents_in(z) + self.positions))
        return patches.view(-1, GRID, GRID, PATCH, PATCH).transpose(2, 3).reshape(-1, SIZE, SIZE)


class DiT(nn.Module):
    """One time an image: the process calls it with x_t (B, 16, D) and t (B,)."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(DIM, 32), nn.Linear(32, DIM)
        self.time, self.label = TimeEmbedding(16, 32), nn.Embedding(NUM_CLASSES + 1, 32)
        self.backbone = ModulatedTransformer(ModulatedTransformerConfig(**AROUND, cond_dim=32))
        self.register_buffer("positions", grid_positions(GRID, GRID, 32))

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        condition = self.time(t) + self.label(labels)
        prediction: Tensor = self.out(self.backbone(self.into(x_t) + self.positions, condition))
        return prediction


class ShapesTask(Task):
    """One model and one optimizer; `losses` says what a batch gives."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    @abstractmethod
    def losses(self, batch: Any, generator: torch.Generator) -> Mapping[str, Tensor]:
        """The parts of the loss on a batch."""

    def optimizer_specs(self) -> dict[str, OptimizerSpec]:
        return {"model": OptimizerSpec(self.model, OPTIMIZER)}

    def training_step(self, batch: Any, turn: str, step: int, generator: torch.Generator) -> Losses:
        parts = self.losses(batch, generator)
        return Losses(parts, {f"train/{k}": v.detach() for k, v in parts.items()}, "train/loss")

    def validation_step(self, batch: Any, generator: torch.Generator) -> dict[str, Tensor]:
        return {f"valid/{k}": v for k, v in self.losses(batch, generator).items()}

    def averaged_module(self) -> nn.Module:
        return self.model


class VAETask(ShapesTask):
    model: PatchVAE

    def losses(self, batch: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        mu = self.model.encode(batch)
        copy = self.model.decode(sample_posterior(POSTERIOR, mu, generator))
        return {"mse": functional.mse_loss(copy, batch), "mean": mean_regularizer(POSTERIOR, mu)}


class LMTask(ShapesTask):
    model: LatentLM

    def losses(self, batch: MixedBatch, generator: torch.Generator) -> dict[str, Tensor]:
        return latent_lm_loss(self.model, batch, generator).parts

    def counts(self, batch: MixedBatch, turn: str) -> dict[str, Tensor]:
        return loss_counts(self.model, batch)


class DiTTask(ShapesTask):
    process = DiffusionProcess(DiffusionConfig())

    def losses(self, batch: tuple[Tensor, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        x0, labels = batch
        t = self.process.sample_times((len(x0),), generator)  # (B,)
        hide = torch.rand(len(x0), generator=generator) < 0.25
        network = partial(self.model, labels=labels.masked_fill(hide, NUM_CLASSES))
        noise = randn(tuple(x0.shape), generator, like=x0)
        return {"diffusion": self.process.loss(network, x0, noise, t).mean()}


def language_model(modalities: tuple[ModalityConfig, ...]) -> LatentLM:
    seed_initialization(0)
    backbone = TransformerConfig(**SIZES)
    return LatentLM(LatentLMConfig(backbone=backbone, vocab_size=VOCABULARY, modalities=modalities))


def mixture(shards: LatentShards) -> MixedData:
    """Two batches of images to one of text."""
    return MixedData(
        [Images(shards), Texts()], MixtureConfig(weights=(2, 1), rounds=4, num_windows=5), seed=0
    )


def lm_task(shards: LatentShards) -> LMTask:
    task = LMTask(language_model((IMAGE,)))
    task.model.set_statistics(0, *shards.statistics())
    return task
