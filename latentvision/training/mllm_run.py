"""A training run of a model of pages: its configuration, and the data, task and engine it joins."""

from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.train.engine import TrainConfig, TrainResult, train
from latentspeech.core.train.optim import OptimizerConfig
from latentspeech.core.train.seeding import seed_initialization
from latentvision.mllm.documents.config import open_pages
from latentvision.mllm.models.build import (
    PageModelConfig,
    build_encoder,
    build_page_model,
    space_of,
)
from latentvision.mllm.models.latent_lm import MultimodalLMConfig
from latentvision.mllm.models.sampling import PageSampling
from latentvision.mllm.pictures import PictureEncoder
from latentvision.mllm.sequence import PageSequences
from latentvision.mllm.tokens.config import TextTokenizerConfig, open_text_tokenizer
from latentvision.tokenizer.model import Tokenizer
from latentvision.tokenizer.model_directory import load_tokenizer
from latentvision.training.mllm_data import (
    PageDataConfig,
    picture_statistics,
    training_data,
    validation_data,
)
from latentvision.training.mllm_task import PageTask
from latentvision.training.picture_encoding import BatchEncoder, PatchEncoder


class PageRunConfig(Config):
    """Everything that decides the run of a model of pages."""

    exp_dir: Path = Field(description="folder of the run: config, checkpoints, metrics")
    picture_tokenizer_dir: Path = Field(description="model directory of the image tokenizer")
    text_tokenizer: TextTokenizerConfig = Field(description="file of the text tokenizer")
    model: PageModelConfig = Field(MultimodalLMConfig(), description="kind and sizes of the model")
    data: PageDataConfig = Field(description="pages, and sizes of batches and rows")
    optimizer: OptimizerConfig = Field(
        OptimizerConfig(lr=3e-4, betas=(0.9, 0.98), weight_decay=0.1, warmup_steps=500),
        description="by default the paper's, but for its schedule",
    )
    sampling: PageSampling = Field(
        PageSampling(), description="of the packed model; training does not use them"
    )
    train: TrainConfig = Field(description="length and hardware of the training")


class PageTokenizers(NamedTuple):
    """The tokenizers of a run."""

    pictures: Tokenizer
    encoder: PictureEncoder  # pictures to what the model has
    sequences: PageSequences  # of patches, which become latents or codes in a step


def open_tokenizers(run: PageRunConfig) -> PageTokenizers:
    """Reads the tokenizers of the run.

    Raises:
        ConfigError: the image tokenizer is not of the kind that the model needs.
    """
    tokenizer = load_tokenizer(run.picture_tokenizer_dir)
    encoder = build_encoder(tokenizer, run.model)
    text = open_text_tokenizer(run.text_tokenizer)
    sequences = PageSequences(text, PatchEncoder(tokenizer.config), encoder.num_codes)
    return PageTokenizers(tokenizer, encoder, sequences)


def run_pages(run: PageRunConfig) -> TrainResult:
    """Starts or resumes the run in `exp_dir`."""
    tokenizer, encoder, sequences = open_tokenizers(run)
    seed, codes = run.train.seed, encoder.num_codes > 0
    seed_initialization(seed)
    model = build_page_model(sequences.tokenizer.size, space_of(encoder), run.model)
    if not codes:
        sources = [open_pages(source.pages) for source in run.data.train_sources]
        most = run.data.statistics_pictures
        model.set_statistics(*picture_statistics(sources, encoder, most, seed))
    return train(
        PageTask(model, run.optimizer, BatchEncoder(tokenizer, model.vocabulary, codes)),
        training_data(run.data, sequences, seed),
        validation_data(run.data, sequences, seed),
        run.train,
        run.exp_dir,
        run.model_dump(mode="json"),
    )
