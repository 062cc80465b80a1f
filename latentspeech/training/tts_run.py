"""A TTS training run: its configuration, and the data, task and engine it joins."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from latentspeech.codec.model_directory import codec_hash, load_codec_module
from latentspeech.core.config import Config
from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.errors import CheckpointError
from latentspeech.core.lm.lora import LoRAConfig
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.train.engine import TrainConfig, TrainResult, train
from latentspeech.core.train.optim import OptimizerConfig
from latentspeech.core.train.seeding import seed_initialization
from latentspeech.text.tokenizers import load_tokenizer
from latentspeech.tts.layouts.build import build_layout
from latentspeech.tts.layouts.layout import ConditioningConfig
from latentspeech.tts.model import PAPER_SAMPLING, SPEECH, TTSModelConfig, latent_lm_config
from latentspeech.tts.model_directory import load_lm
from latentspeech.tts.training.task import TTSTask
from latentspeech.tts.training.training_data import TTSDataConfig, TTSTrainingData


class TTSRunConfig(Config):
    """Everything that decides a TTS run."""

    exp_dir: Path = Field(description="folder of the run: config, checkpoints, metrics")
    codec_dir: Path = Field(description="model directory of the codec that made the latents")
    tokenizer_dir: Path = Field(description="folder of the text tokenizer")
    latents_dir: str = Field(description="latent shards to train on, a folder or a URL")
    valid_latents_dir: str = Field(description="latent shards to validate on, likewise")
    model: TTSModelConfig = Field(TTSModelConfig(), description="sizes and diffusion")
    conditioning: ConditioningConfig = Field(
        ConditioningConfig(), description="inputs that training hides, and how often"
    )
    data: TTSDataConfig = Field(TTSDataConfig(), description="sizes of a batch")
    optimizer: OptimizerConfig = Field(
        OptimizerConfig(lr=7.5e-4, betas=(0.9, 0.98), weight_decay=0.01),
        description="by default as in Table 11",
    )
    start_from: Path | None = Field(
        None, description="TTS model directory whose weights the run starts from; null: random"
    )
    lora: LoRAConfig | None = Field(
        None, description="adapters to train, start_from's weights stay; null: train every weight"
    )
    sampling: SamplingConfig = Field(
        PAPER_SAMPLING,
        description="sampling settings of the packed model; training does not use them",
    )
    train: TrainConfig = Field(description="length and hardware of the training")

    @model_validator(mode="after")
    def _adapters_have_a_model(self) -> Self:
        if self.lora is not None and self.start_from is None:
            raise ValueError("lora adapts a trained model; name it by start_from")
        return self


def run_tts(run: TTSRunConfig) -> TrainResult:
    """Starts or resumes the run in `exp_dir`."""
    seed_initialization(run.train.seed)
    hash_ = codec_hash(run.codec_dir)
    codec = load_codec_module(run.codec_dir)
    tokenizer = load_tokenizer(run.tokenizer_dir)
    config = latent_lm_config(run.model, tokenizer.vocab_size, codec.config.latent_dim)
    layout = build_layout(config.layout, config.modalities[SPEECH], config.neighbours)
    train_shards, valid_shards = (
        LatentShards(location, hash_, run.data.cache, run.data.skip_bad)
        for location in (run.latents_dir, run.valid_latents_dir)
    )
    train_data, valid_data = (
        TTSTrainingData(
            shards,
            tokenizer,
            layout,
            codec.config.posterior,
            run.conditioning,
            run.data,
            run.train.seed,
        )
        for shards in (train_shards, valid_shards)
    )
    task = TTSTask(config, run.optimizer, *train_shards.statistics())
    if run.start_from is not None:
        _start_from(task, run.start_from)
    if run.lora is not None:
        task.adapt(run.lora)
    return train(
        task,
        train_data,
        valid_data,
        run.train,
        run.exp_dir,
        run.model_dump(mode="json"),
    )


def _start_from(task: TTSTask, directory: Path) -> None:
    """Copies the weights of a model and its statistics of latents."""
    try:
        task.model.load_state_dict(load_lm(directory).state_dict())
    except RuntimeError as error:
        raise CheckpointError(
            f"{directory} does not fit this run's model: "
            f"{' '.join(str(error).split())[:300]}; give both the same sizes and tokenizer"
        ) from None
