"""Runs the study: tokenizers, their latents, and generators that are sampled and scored.

    python -m recipes.image.study.run --config egs/fashion/conf/study/study.yaml \
        --classifier DATA_DIR/classifier/model --exp_dir DIR

Distances are Frechet distances over the features of that classifier, which a recipe trains. The
same command goes on where it stopped, after a kill too. `--minutes` starts no run after that time.
Each finished generator has a file result.json; recipes.image.study.report makes the table and the
picture of those that there are.
"""

import argparse
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config, merge, parse_config, read_yaml
from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.storage.files import write_json
from latentspeech.core.storage.model_directory import read_weights
from latentspeech.core.tensors import make_generator
from latentvision.data.extract_latents import extract_latents
from latentvision.data.sources.config import open_source
from latentvision.data.sources.source import ImageSource
from latentvision.eval.features import FeatureKind, load_features
from latentvision.eval.picture_set import PictureSet
from latentvision.eval.sets.frechet import frechet_distance
from latentvision.eval.sets.measure import FeatureSet
from latentvision.eval.sets.seen import SeenFeatures
from latentvision.generation.build import build_generator
from latentvision.generation.painter import Painter
from latentvision.generation.space import ImageBatch
from latentvision.tokenizer.model_directory import load_tokenizer
from latentvision.training.generator_run import GeneratorRunConfig, run_generator, run_space
from latentvision.training.pack_generator import pack_generator
from latentvision.training.pack_tokenizer import pack_tokenizer
from latentvision.training.tokenizer_run import TokenizerRunConfig, run_tokenizer
from recipes.image.study.plan import (
    Run,
    StudyConfig,
    all_runs,
    model_settings,
    posterior_settings,
)

logger = logging.getLogger(__name__)

RESULT = "result.json"
_NETWORK: FeatureKind = "classifier"
_COUNTED_IMAGES = 2
_DRAWN_TOGETHER = 100


class FirstShards:
    """The first shards of a source of pictures."""

    def __init__(self, source: ImageSource, count: int) -> None:
        self._source = source
        self.num_shards = min(count, source.num_shards)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __str__(self) -> str:
        return f"{self._source}, {self.num_shards} shards"


class Study:
    """The study in a folder."""

    def __init__(self, config_path: Path, exp_dir: Path, classifier: Path) -> None:
        self.config = load_config(StudyConfig, config_path)
        self.folder = exp_dir
        self._conf = config_path.parent
        self._networks = {_NETWORK: load_features(_NETWORK, classifier)}
        self._reference: FeatureSet | None = None

    def run(self, run: Run) -> None:
        """Trains, samples and scores one generator, with its tokenizer if that is missing."""
        folder = self.folder / "generators" / run.name
        if (folder / RESULT).is_file():
            return
        tokenizer = self._tokenizer(run.tokenizer)
        latents = self._latents(run.tokenizer, tokenizer)
        config = self._generator_config(run, folder, tokenizer, latents)
        result = run_generator(config)
        if result.reason != "max_steps":
            raise KeyboardInterrupt  # a signal ended the training, which goes on the next time
        pack_generator(folder, folder / "model")
        painter = Painter.from_directory(folder / "model")
        found = {
            f"{scale:g}": self._measure(painter, scale, run.seed)
            for scale in self.config.cfg_scales
        }
        # A painter's fused layers are no parameters any more, so the file is asked.
        parameters = sum(tensor.numel() for tensor in read_weights(folder / "model").values())
        values = {
            "run": run._asdict(),
            "distance": found,
            "num_samples": self.config.per_class * len(painter.class_names),
            "parameters": parameters,
            "steps": result.step,
            "seconds": result.seconds,
        }
        write_json(folder / RESULT, values)
        logger.info("%s: %s", run.name, found)

    def _tokenizer(self, name: str) -> Path:
        folder = self.folder / "tokenizers" / name
        target = folder / "model"
        if not target.is_dir():
            values = read_yaml(self._conf / self.config.tokenizer)
            changes = {
                "exp_dir": folder,
                "tokenizer": {"posterior": posterior_settings(self.config, name)},
                "data": {
                    "train_source": self.config.train_source.model_dump(),
                    "valid_source": self.config.valid_source.model_dump(),
                },
            }
            run = parse_config(TokenizerRunConfig, merge(values, changes), origin=name)
            if run_tokenizer(run).reason != "max_steps":
                raise KeyboardInterrupt
            pack_tokenizer(folder, target)
        return target

    def _latents(self, name: str, tokenizer: Path) -> Path:
        folder = self.folder / "latents" / name
        if not (folder / "stats.safetensors").is_file():
            source = FirstShards(open_source(self.config.train_source), self.config.num_shards)
            extract_latents(tokenizer, source, folder, flips=False)
        return folder

    def _generator_config(
        self, run: Run, folder: Path, tokenizer: Path, latents: Path
    ) -> GeneratorRunConfig:
        values = read_yaml(self._conf / self.config.generator)
        changes = {
            "exp_dir": folder,
            "tokenizer_dir": tokenizer,
            "latents_dir": str(latents),
            "valid_latents_dir": str(latents),
            "train": {"seed": run.seed},
        }
        model = model_settings(self.config, run, values["model"])
        config = parse_config(
            GeneratorRunConfig, merge(values, changes) | {"model": model}, origin=run.name
        )
        steps = max(1, round(1e12 * self.config.compute_tflop / step_flop(config)))
        train = config.train.model_copy(update={"max_steps": steps, "validate_every": steps})
        return config.model_copy(update={"train": train})

    def _measure(self, painter: Painter, scale: float, seed: int) -> float:
        drawn = self._features(self._drawn(painter, scale, seed))
        if self._reference is None:
            size = painter.model.tokenizer.config.image_size
            source = open_source(self.config.valid_source)
            pictures = PictureSet(source, size, self.config.max_reference)
            self._reference = self._features(batch.images for batch in pictures.batches())
        return frechet_distance(drawn, self._reference, seed).value

    def _features(self, batches: Iterable[Tensor]) -> FeatureSet:
        seen = SeenFeatures(self._networks, "cpu")
        for images in batches:
            seen.add(images)
        return seen.sets("images")[_NETWORK]

    @torch.inference_mode()
    def _drawn(self, painter: Painter, scale: float, seed: int) -> Iterator[Tensor]:
        """Batches of samples, whose classes take turns."""
        classes = len(painter.class_names)
        sampling = painter.sampling(cfg_scale=scale)
        for start in range(0, self.config.per_class * classes, _DRAWN_TOGETHER):
            places = range(start, min(start + _DRAWN_TOGETHER, self.config.per_class * classes))
            labels = torch.tensor([place % classes for place in places])
            generators = [make_generator(seed, "study", place) for place in places]
            yield painter.decode(painter.model.generator.sample(labels, generators, sampling))


def step_flop(config: GeneratorRunConfig) -> float:
    """Operations of one step, forward and backward, counted on two images without weights."""
    shards = LatentShards(config.latents_dir)
    space = run_space(config.model, load_tokenizer(config.tokenizer_dir), shards)
    model = build_generator(space, config.model)
    latents = torch.zeros(_COUNTED_IMAGES, space.num_latents, space.latent_dim)
    batch = ImageBatch(latents, torch.zeros(_COUNTED_IMAGES, dtype=torch.long))
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(model.loss(batch, torch.Generator().manual_seed(0)))
    total: int = counter.get_total_flops()
    return total / _COUNTED_IMAGES * config.data.batch_size * config.train.accumulation


def run_study(study: Study, runs: Sequence[Run], minutes: float = 0) -> int:
    """Does the runs that are missing; returns how many of all are done."""
    started = time.monotonic()
    for run in runs:
        if minutes and time.monotonic() - started > 60 * minutes:
            break
        study.run(run)
    return sum((study.folder / "generators" / run.name / RESULT).is_file() for run in runs)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML of the study")
    parser.add_argument("--classifier", type=Path, required=True, help="its directory")
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--minutes", type=float, default=0, help="start no run later; 0: no limit")
    arguments = parser.parse_args()
    study = Study(arguments.config, arguments.exp_dir, arguments.classifier)
    runs = list(dict.fromkeys(all_runs(study.config)))
    done = run_study(study, runs, arguments.minutes)
    logger.info("%d of %d runs are done; the same command goes on", done, len(runs))


if __name__ == "__main__":
    run_recipe(main)
