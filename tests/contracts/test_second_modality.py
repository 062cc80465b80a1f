"""A second modality needs core alone: one is encoded, stored, trained, resumed and written.

Nothing here says how good its pictures are.
"""

import ast
import json
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentspeech.core.data.latent_format import LatentItem, LatentMeta
from latentspeech.core.data.latent_shards import LatentShards, LatentShardWriter
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.core.data.train_data import TrainData
from latentspeech.core.diffusion.process import at_each_time
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import GeneratedElement, generate, token_span
from latentspeech.core.lm.sampling.row_policy import GenerationLimits
from latentspeech.core.lm.torch_runtime import TorchRuntime
from latentspeech.core.tensors import make_generator
from latentspeech.core.train.engine import TrainConfig, train
from latentspeech.core.train.seeding import seed_initialization
from latentspeech.core.train.state.checkpoint import load_part, newest_checkpoint
from latentspeech.core.train.task import Task
from tests import toy_modality
from tests.toy_modality import (
    BOD,
    DIM,
    END,
    EOD,
    GRID,
    NO_CLASS,
    NUM_CLASSES,
    NUM_LATENTS,
    POSTERIOR,
    SIZE,
    DiT,
    DiTTask,
    Labelled,
    LMTask,
    PatchVAE,
    Pictures,
    Texts,
    VAETask,
    caption,
    language_model,
    lm_task,
    mixture,
    picture,
)


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


@pytest.fixture(scope="module")
def lm(shards: LatentShards, tmp_path_factory: pytest.TempPathFactory) -> LatentLM:
    task = lm_task(shards)
    log = fit(task, mixture(shards), tmp_path_factory.mktemp("lm"), 60)
    of_images = ["train/diffusion_0" in line and line["train/diffusion_0"] > 0 for line in log]
    assert sum(of_images) == 40
    assert falls(log, "train/token")
    assert falls([line for line, one in zip(log, of_images, strict=True) if one], "train/loss")
    return task.model


@pytest.fixture(scope="module")
def dit(shards: LatentShards, tmp_path_factory: pytest.TempPathFactory) -> DiT:
    seed_initialization(0)
    model = DiT()
    log = fit(DiTTask(model), Labelled(shards), tmp_path_factory.mktemp("dit"), 60)
    assert falls(log, "train/diffusion")
    return model


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
    files = (Path(__file__), Path(toy_modality.__file__))
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    ours = [name for name in names if name is not None and name.startswith("latent")]
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
