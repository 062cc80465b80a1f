"""A training run of a model of pages: its configuration, and the data, task and engine it joins."""

from pathlib import Path
from typing import NamedTuple

from pydantic import Field, model_validator

from latentspeech.core.config import Config
from latentspeech.core.errors import ConfigError
from latentspeech.core.train.engine import TrainConfig, TrainResult, train
from latentspeech.core.train.optim import OptimizerConfig
from latentspeech.core.train.seeding import seed_initialization
from latentvision.mllm.documents.config import open_pages
from latentvision.mllm.models.build import (
    PageModelConfig,
    build_encoder,
    build_page_model,
    space_of,
    speech_of,
)
from latentvision.mllm.models.latent_lm import MultimodalLM, MultimodalLMConfig
from latentvision.mllm.models.sampling import PageSampling
from latentvision.mllm.pictures import PictureEncoder
from latentvision.mllm.sequence import PageSequences
from latentvision.mllm.speech_latents import SpeechLatents
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
    speech_latents: Path | None = Field(
        None, description="latent shards of the speech that pages name; with model.speech alone"
    )
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

    @model_validator(mode="after")
    def _check_speech(self) -> "PageRunConfig":
        speech = speech_of(self.model)
        if (speech is None) != (self.speech_latents is None):
            raise ValueError(
                f"model.speech is {'not ' if speech is None else ''}set and speech_latents is "
                f"{'not ' if self.speech_latents is None else ''}set; expected both or neither: "
                "give model.speech (kind latent_lm) the channels of the latents in speech_latents"
            )
        return self


class PageTokenizers(NamedTuple):
    """The tokenizers of a run."""

    pictures: Tokenizer
    encoder: PictureEncoder  # pictures to what the model has
    sequences: PageSequences  # of patches, which become latents or codes in a step


def open_tokenizers(run: PageRunConfig) -> PageTokenizers:
    """Reads the tokenizers of the run.

    Raises:
        ConfigError: the image tokenizer is not of the kind that the model needs, or the latents of
            speech have another size.
        DataError: the latents of speech are missing.
    """
    tokenizer = load_tokenizer(run.picture_tokenizer_dir)
    encoder = build_encoder(tokenizer, run.model)
    text = open_text_tokenizer(run.text_tokenizer)
    patches = PatchEncoder(tokenizer.config)
    sequences = PageSequences(text, patches, encoder.num_codes, _open_speech(run))
    return PageTokenizers(tokenizer, encoder, sequences)


def _open_speech(run: PageRunConfig) -> SpeechLatents | None:
    config = speech_of(run.model)
    if config is None or run.speech_latents is None:
        return None
    speech = SpeechLatents(run.speech_latents)
    if speech.latent_dim != config.latent_dim:
        raise ConfigError(
            f"{run.speech_latents} holds latents of {speech.latent_dim} channels; expected "
            f"{config.latent_dim}, model.speech.latent_dim: set that to {speech.latent_dim}"
        )
    return speech


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
    if sequences.speech is not None:
        assert isinstance(model, MultimodalLM), "no other model has speech"
        model.set_speech_statistics(*sequences.speech.statistics())
    return train(
        PageTask(model, run.optimizer, BatchEncoder(tokenizer, model.vocabulary, codes)),
        training_data(run.data, sequences, seed),
        validation_data(run.data, sequences, seed),
        run.train,
        run.exp_dir,
        run.model_dump(mode="json"),
    )
