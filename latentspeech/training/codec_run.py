"""A codec training run: its configuration, and the data, task and engine it joins."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from latentspeech.codec.config import CodecConfig
from latentspeech.codec.discriminators import DiscriminatorsConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import load_codec_module
from latentspeech.codec.task import CodecLossConfig, CodecTask
from latentspeech.core.config import Config
from latentspeech.core.errors import CheckpointError
from latentspeech.core.train.engine import TrainConfig, TrainResult, train
from latentspeech.core.train.optim import OptimizerConfig
from latentspeech.core.train.seeding import seed_initialization
from latentspeech.data.audio_segments import AudioSegmentConfig, AudioSegments


class CodecDataConfig(AudioSegmentConfig):
    """Cuts to train and validate on, and how they become segments."""

    train_cuts: str = Field(
        description="lhotse cuts to train on: a file .jsonl.gz, or a folder or URL in Shar format"
    )
    valid_cuts: str = Field(description="lhotse cuts to validate on, in either form")


class StartFromConfig(Config):
    """Weights of another codec to start from."""

    codec: Path = Field(description="model directory")
    parts: tuple[Literal["encoder", "decoder"], ...] = Field(
        ("encoder", "decoder"), min_length=1, description="whose weights are taken over"
    )


class CodecRunConfig(Config):
    """Everything that decides a codec run."""

    exp_dir: Path = Field(description="folder of the run: config, checkpoints, metrics")
    codec: CodecConfig = Field(CodecConfig(), description="the model")
    loss: CodecLossConfig = Field(
        CodecLossConfig(), description="weights of the losses, start of discriminators"
    )
    discriminators: DiscriminatorsConfig = Field(
        DiscriminatorsConfig(), description="sizes of the discriminators"
    )
    optimizer: OptimizerConfig = Field(
        OptimizerConfig(lr=1e-4, betas=(0.8, 0.99)), description="optimizer of the codec"
    )
    discriminator_optimizer: OptimizerConfig = Field(
        OptimizerConfig(lr=1e-4, betas=(0.8, 0.99), clip_norm=10.0),
        description="optimizer of the discriminators",
    )
    start_from: StartFromConfig | None = Field(
        None, description="codec whose weights the run starts from; null: random weights"
    )
    data: CodecDataConfig = Field(description="data to train on")
    train: TrainConfig = Field(description="length and hardware of the training")

    @model_validator(mode="after")
    def _ratio_can_be_held(self) -> Self:
        posterior, wanted = self.codec.posterior, self.loss.log_sigma_ratio
        if wanted is not None and not (posterior.beta > 0 and posterior.sigma_std > 0):
            raise ValueError(
                f"loss.log_sigma_ratio = {wanted} is held by beta against the noise, but beta = "
                f"{posterior.beta} and sigma_std = {posterior.sigma_std}; set both above 0"
            )
        return self


def run_codec(run: CodecRunConfig) -> TrainResult:
    """Starts or resumes the run in `exp_dir`."""
    data, rate, seed = run.data, run.codec.sample_rate, run.train.seed
    seed_initialization(seed)
    task = CodecTask(
        run.codec, run.loss, run.discriminators, run.optimizer, run.discriminator_optimizer
    )
    if run.start_from is not None:
        _start_from(task.codec, run.start_from)
    return train(
        task,
        AudioSegments(data.train_cuts, data, rate, seed),
        AudioSegments(data.valid_cuts, data, rate, seed, valid=True),
        run.train,
        run.exp_dir,
        run.model_dump(mode="json"),
    )


def _start_from(codec: Codec, start: StartFromConfig) -> None:
    """Copies the named parts of another codec; CheckpointError if they do not fit."""
    other = load_codec_module(start.codec)
    for part in start.parts:
        try:
            getattr(codec, part).load_state_dict(getattr(other, part).state_dict())
        except RuntimeError as error:
            raise CheckpointError(
                f"the {part} of {start.codec} does not fit this run's codec: "
                f"{' '.join(str(error).split())}; give both the same sizes"
            ) from None
