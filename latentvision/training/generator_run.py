"""A training run of a generator: its configuration, and the data, task and engine it joins."""

from pathlib import Path

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.errors import DataError
from latentspeech.core.train.engine import TrainConfig, TrainResult, train
from latentspeech.core.train.optim import OptimizerConfig
from latentspeech.core.train.seeding import seed_initialization
from latentvision.generation.build import ModelConfig, build_generator
from latentvision.generation.generator import ImageSampling
from latentvision.generation.image_lm import ImageLMConfig
from latentvision.generation.space import ImageSpace
from latentvision.generation.study.vq_lm import VQLMConfig
from latentvision.tokenizer.model import Tokenizer
from latentvision.tokenizer.model_directory import load_tokenizer, tokenizer_hash
from latentvision.tokenizer.vector_quantizer import VectorQuantizer
from latentvision.training.generator_data import GeneratorData, GeneratorDataConfig, one_scale
from latentvision.training.generator_task import GeneratorTask


class GeneratorRunConfig(Config):
    """Everything that decides the run of a generator."""

    exp_dir: Path = Field(description="folder of the run: config, checkpoints, metrics")
    tokenizer_dir: Path = Field(description="model directory of the tokenizer of the latents")
    latents_dir: str = Field(description="latent shards to train on, a folder or a URL")
    valid_latents_dir: str = Field(description="latent shards to validate on, likewise")
    model: ModelConfig = Field(ImageLMConfig(), description="kind and sizes of the generator")
    data: GeneratorDataConfig = Field(GeneratorDataConfig(), description="sizes of a batch")
    optimizer: OptimizerConfig = Field(
        OptimizerConfig(lr=5e-4, betas=(0.9, 0.98), weight_decay=0.1),
        description="by default that of the L model (Table 1), but for its schedule",
    )
    sampling: ImageSampling = Field(
        ImageSampling(),
        description="sampling settings of the packed model; training does not use them",
    )
    train: TrainConfig = Field(description="length and hardware of the training")


def run_generator(run: GeneratorRunConfig) -> TrainResult:
    """Starts or resumes the run in `exp_dir`."""
    hash_ = tokenizer_hash(run.tokenizer_dir)
    train_shards, valid_shards = (
        LatentShards(location, hash_, run.data.cache, run.data.skip_bad)
        for location in (run.latents_dir, run.valid_latents_dir)
    )
    _check_classes(train_shards, valid_shards)
    tokenizer = load_tokenizer(run.tokenizer_dir)
    space = run_space(run.model, tokenizer, train_shards)
    seed_initialization(run.train.seed)
    model = build_generator(space, run.model)
    quantizer: VectorQuantizer | None = None
    if space.num_codes is None:
        model.set_statistics(*one_scale(*train_shards.statistics()))
    else:
        assert isinstance(tokenizer.posterior, VectorQuantizer)
        quantizer = tokenizer.posterior
    train_data, valid_data = (
        GeneratorData(shards, space, run.data, run.train.seed, dropout, quantizer)
        for shards, dropout in ((train_shards, run.data.class_dropout), (valid_shards, 0.0))
    )
    task = GeneratorTask(model, run.optimizer)
    config = run.model_dump(mode="json")
    return train(task, train_data, valid_data, run.train, run.exp_dir, config)


def run_space(model: ModelConfig, tokenizer: Tokenizer, shards: LatentShards) -> ImageSpace:
    """What tokenizer and latents say about the images; codes instead of latents for kind vq.

    Raises:
        DataError: the latents have no classes.
    """
    config = tokenizer.config
    num_codes = None
    if isinstance(model, VQLMConfig) and isinstance(tokenizer.posterior, VectorQuantizer):
        num_codes = tokenizer.posterior.config.num_codes
    return ImageSpace(
        num_rows=config.grid_size,
        num_columns=config.grid_size,
        latent_dim=config.latent_dim if num_codes is None else 1,
        num_classes=len(class_names(shards)),
        num_codes=num_codes,
    )


def class_names(shards: LatentShards) -> tuple[str, ...]:
    """The names of the classes of a folder of latents, by number; DataError if it has none."""
    names = shards.meta.modality.get("class_names")
    if not names:
        raise DataError(
            f"{shards} has no class names; expected latents of labelled images: extract them from "
            "a source with classes"
        )
    return tuple(map(str, names))


def _check_classes(train_shards: LatentShards, valid_shards: LatentShards) -> None:
    """Raises DataError unless both have the same classes under the same numbers."""
    names, others = class_names(train_shards), class_names(valid_shards)
    if names != others:
        raise DataError(
            f"{valid_shards} has {len(others)} classes and {train_shards} {len(names)}, or their "
            "names differ; expected the same list of both: extract them from sources with the "
            "same classes"
        )
