"""A second modality needs core alone: pictures of shapes, their latents, and what writes them.

It is the smallest package that a modality can be: a patch sigma-VAE, shards of its latents, a
LatentLM that gets a class and writes BOD, 16 latents, EOD and a caption, trained with text from a
second source, and a DiT on the same latents. Nothing here says how good the pictures are.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.data.latent_format import LatentItem, LatentMeta
from latentspeech.core.data.latent_shards import LatentShards, LatentShardWriter
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.core.data.mixture import MixedData, MixtureConfig
from latentspeech.core.data.train_data import TrainData
from latentspeech.core.diffusion.head import TimeEmbedding
from latentspeech.core.diffusion.process import DiffusionConfig, DiffusionProcess, at_each_time
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.latents.sigma_vae import (
    SigmaVAEConfig,
    mean_regularizer,
    sample_posterior,
    sample_posteriors,
)
from latentspeech.core.lm.generate import GeneratedElement, generate, token_span
from latentspeech.core.lm.latent_lm import LatentLM, LatentLMConfig, ModalityConfig
from latentspeech.core.lm.loss import latent_lm_loss, loss_counts
from latentspeech.core.lm.mixed_sequence import TOKEN, LatentSpan, MixedBatch, collate
from latentspeech.core.lm.row_policy import GenerationLimits
from latentspeech.core.lm.runtime import TorchRuntime
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.core.nn.modulated_transformer import (
    ModulatedTransformer,
    ModulatedTransformerConfig,
)
from latentspeech.core.nn.sine_positions import grid_positions
from latentspeech.core.nn.transformer import Transformer, TransformerConfig
from latentspeech.core.tensors import make_generator, randn
from latentspeech.core.train.engine import TrainConfig, train
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec
from latentspeech.core.train.seeding import seed_initialization
from latentspeech.core.train.state.checkpoint import load_part, newest_checkpoint
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
        return [part.tolist() for part in order.split(12)]


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
        rows = [
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

    def losses(self, batch: Any, generator: torch.Generator) -> Mapping[str, Tensor]:
        raise NotImplementedError

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


def fit(task: Task, data: TrainData, folder: Path, steps: int) -> list[dict[str, float]]:
    """Trains and leaves the averaged weights in the model; the lines of the log."""
    config = TrainConfig(max_steps=steps, log_every=1, checkpoint_every=steps, ema_decay=0.9)
    train(task, data, None, config, folder, run_config={})
    task.averaged_module().load_state_dict(averages(folder))
    task.eval()
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def averages(folder: Path) -> dict[str, Tensor]:
    found = newest_checkpoint(folder)
    assert found is not None
    return load_part(found.path, "ema")


def falls(log: list[dict[str, float]], name: str) -> bool:
    """Whether the last third of a curve lies below its first third by a tenth."""
    curve = torch.tensor([line[name] for line in log if name in line])
    third = len(curve) // 3
    return bool(curve[-third:].mean() < 0.9 * curve[:third].mean())


def language_model(modalities: tuple[ModalityConfig, ...]) -> LatentLM:
    seed_initialization(0)
    backbone = TransformerConfig(**SIZES)
    return LatentLM(LatentLMConfig(backbone=backbone, vocab_size=VOCABULARY, modalities=modalities))


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> PatchVAE:
    seed_initialization(0)
    task = VAETask(PatchVAE())
    log = fit(task, Pictures(96), tmp_path_factory.mktemp("vae"), 60)
    assert falls(log, "train/mse")
    return task.model


@pytest.fixture(scope="module")
def shards(vae: PatchVAE, tmp_path_factory: pytest.TempPathFactory) -> LatentShards:
    folder = tmp_path_factory.mktemp("latents")
    meta = LatentMeta(
        vae_hash="of the weights",
        source_hash="of the pictures",
        latent_dim=DIM,
        posterior_kind=POSTERIOR.kind,
        sigma_std=POSTERIOR.sigma_std,
        shard_size=20,
        num_items=48,
        remake_command="this test",
        modality={"grid": [GRID, GRID]},
    )
    writer = LatentShardWriter(folder, meta)
    for shard in range(meta.num_shards):
        numbers = range(shard * meta.shard_size, shard * meta.shard_size + meta.shard_length(shard))
        with torch.no_grad():
            mus = vae.encode(torch.stack([picture(number) for number in numbers]))
        items = [LatentItem(f"{n}", NUM_LATENTS, group=f"{n % NUM_CLASSES}") for n in numbers]
        writer.write(shard, items, dict(zip([item.id for item in items], mus, strict=True)))
    write_statistics(folder)
    return LatentShards(folder, expected_vae_hash="of the weights")


def mixture(shards: LatentShards) -> MixedData:
    """Two batches of images to one of text."""
    return MixedData(
        [Images(shards), Texts()], MixtureConfig(weights=(2, 1), rounds=4, num_windows=5), seed=0
    )


def lm_task(shards: LatentShards) -> LMTask:
    task = LMTask(language_model((IMAGE,)))
    task.model.set_statistics(0, *shards.statistics())
    return task


@pytest.fixture(scope="module")
def lm(shards: LatentShards, tmp_path_factory: pytest.TempPathFactory) -> LatentLM:
    task = lm_task(shards)
    log = fit(task, mixture(shards), tmp_path_factory.mktemp("lm"), 60)
    of_images = ["train/diffusion_0" in line and line["train/diffusion_0"] > 0 for line in log]
    assert sum(of_images) == 40
    assert falls(log, "train/token")
    assert falls([line for line, one in zip(log, of_images, strict=True) if one], "train/loss")
    return task.model


def write(
    lm: LatentLM, image: LatentSampling, ends: int = END, most: int = 24
) -> list[list[GeneratedElement]]:
    """A row of each class."""
    sampling = SamplingConfig(modalities={"image": image})
    labels = range(NUM_CLASSES)
    steps = generate(
        TorchRuntime(lm),
        [[token_span([label, BOD])] for label in labels],
        sampling,
        [GenerationLimits(most, end_ids=frozenset({ends}))] * NUM_CLASSES,
        [make_generator(1, "row", label) for label in labels],
        [[token_span([NO_CLASS, BOD])] for _ in labels] if sampling.guided else None,
    )
    columns = zip(*steps, strict=True)
    return [[element for element in column if element is not None] for column in columns]


def latents(rows: list[list[GeneratedElement]]) -> Tensor:
    """(B, 16, D)."""
    written = [[element.latent for element in row if element.kind != TOKEN] for row in rows]
    return torch.stack([torch.stack([z for z in row if z is not None]) for row in written])


def test_it_imports_core_alone() -> None:
    tree = ast.parse(Path(__file__).read_text())
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [name for name in names if name is not None and name.startswith("latentspeech")]
    assert ours
    assert all(name.startswith("latentspeech.core.") for name in ours)


def test_an_image_ends_after_its_latents_and_the_text_goes_on(vae: PatchVAE, lm: LatentLM) -> None:
    rows = write(lm, LatentSampling(num_steps=20))
    for row in rows:
        kinds = [element.kind for element in row]
        after = kinds[NUM_LATENTS:]
        assert kinds == [1] * NUM_LATENTS + [TOKEN] * len(after)
        assert row[NUM_LATENTS].token_id == EOD
        assert len(after) > 1
        assert row[-1].done
        assert row[-1].truncated == (row[-1].token_id != END)
    z = latents(rows)
    assert z.shape == (NUM_CLASSES, NUM_LATENTS, DIM)
    assert bool(z.isfinite().all())
    with torch.no_grad():
        assert vae.decode(z).shape == (NUM_CLASSES, SIZE, SIZE)


def test_a_row_may_end_with_the_image_or_in_it(lm: LatentLM) -> None:
    for row in write(lm, LatentSampling(num_steps=2), ends=EOD):
        assert [element.kind for element in row] == [1] * NUM_LATENTS + [TOKEN]
        assert (row[-1].done, row[-1].truncated) == (True, False)
    for row in write(lm, LatentSampling(num_steps=2), most=7):
        assert [element.kind for element in row] == [1] * 7
        assert (row[-1].done, row[-1].truncated) == (True, True)


def test_guidance_changes_samples(lm: LatentLM) -> None:
    plain, again, guided = (
        latents(write(lm, LatentSampling(num_steps=20, cfg_scale=scale))) for scale in (1, 1, 3)
    )
    assert torch.equal(plain, again)
    assert float((plain - guided).abs().max()) > 0.01


def test_a_mixture_resumes_bit_for_bit(shards: LatentShards, tmp_path: Path) -> None:
    """Five steps and seven, of which the second part begins in the middle of a window."""
    fit(lm_task(shards), mixture(shards), tmp_path / "whole", 12)
    for steps in (5, 12):
        fit(lm_task(shards), mixture(shards), tmp_path / "parts", steps)
    one, other = averages(tmp_path / "whole"), averages(tmp_path / "parts")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_model_without_modalities_trains_and_writes(tmp_path: Path) -> None:
    task = LMTask(language_model(()))
    log = fit(task, Texts(latent_dims=()), tmp_path / "text", 60)
    assert falls(log, "train/token")
    limits = [GenerationLimits(8, end_ids=frozenset({END}))]
    prompts = [[token_span([1])]]
    steps = generate(
        TorchRuntime(task.model), prompts, SamplingConfig(), limits, [make_generator(0, "row")]
    )
    assert [row.token_id for (row,) in steps if row is not None] == caption(1)


@pytest.mark.parametrize("solver", ["euler", "ddim", "dpm_solver_pp_2m"])
def test_a_dit_samples_with_every_solver(dit: DiT, solver: str) -> None:
    labels, hidden = torch.arange(NUM_CLASSES), torch.full((NUM_CLASSES,), NUM_CLASSES)
    noise = torch.randn(NUM_CLASSES, NUM_LATENTS, DIM, generator=make_generator(0, "noise"))
    samples = []
    for scale in (1.0, 3.0):
        sampling = LatentSampling.model_validate(
            {"num_steps": 20, "solver": solver, "cfg_scale": scale}
        )
        network = partial(dit, labels=sampling.conditions(labels, hidden))
        with torch.no_grad():
            samples.append(DiTTask.process.sample(at_each_time(network), noise, sampling))
    plain, guided = samples
    assert plain.shape == noise.shape
    assert bool(plain.isfinite().all() and guided.isfinite().all())
    assert float((plain - guided).abs().max()) > 0.01


@pytest.fixture(scope="module")
def dit(shards: LatentShards, tmp_path_factory: pytest.TempPathFactory) -> DiT:
    seed_initialization(0)
    model = DiT()
    log = fit(DiTTask(model), Labelled(shards), tmp_path_factory.mktemp("dit"), 60)
    assert falls(log, "train/diffusion")
    return model
