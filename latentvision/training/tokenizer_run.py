"""One tokenizer training run: its configuration, and the data, task and engine it joins."""

from pathlib import Path

from pydantic import Field

from latentspeech.core.train.engine import TrainConfig, TrainResult, train
from latentspeech.core.train.seeding import seed_initialization
from latentvision.data.image_batches import ImageBatchConfig, ImageBatches
from latentvision.data.sources.config import SourceConfig, open_source
from latentvision.tokenizer.beit3 import start_from_beit3
from latentvision.tokenizer.task import TokenizerTask, TokenizerTaskConfig


class TokenizerDataConfig(ImageBatchConfig):
    """Pictures to train and validate on, and how they become batches."""

    train_source: SourceConfig = Field(description="pictures to train on")
    valid_source: SourceConfig = Field(description="pictures to validate on")


class TokenizerRunConfig(TokenizerTaskConfig):
    """Everything that decides a tokenizer run."""

    exp_dir: Path = Field(description="folder of the run: config, checkpoints, metrics")
    beit3: Path | None = Field(
        None, description="BEiT-3 checkpoint that the encoder starts from; null: random weights"
    )
    data: TokenizerDataConfig = Field(description="data to train on")
    train: TrainConfig = Field(description="length and hardware of the training")


def run_tokenizer(run: TokenizerRunConfig) -> TrainResult:
    """Starts or resumes the run in `exp_dir`."""
    data, seed, size = run.data, run.train.seed, run.tokenizer.image_size
    seed_initialization(seed)
    task = TokenizerTask(run)
    if run.beit3 is not None:
        start_from_beit3(task.tokenizer.encoder, run.beit3)
    sources = [open_source(s, data.skip_bad) for s in (data.train_source, data.valid_source)]
    return train(
        task,
        ImageBatches(sources[0], data, size, seed),
        ImageBatches(sources[1], data, size, seed, valid=True),
        run.train,
        run.exp_dir,
        run.model_dump(mode="json"),
    )
