"""Builds a model of pages and its encoder of pictures from their configuration."""

from typing import Annotated

from pydantic import Field

from latentvision.mllm.models.code_lm import CodeLM, CodeLMConfig
from latentvision.mllm.models.latent_lm import MultimodalLM, MultimodalLMConfig, SpeechConfig
from latentvision.mllm.models.page_model import PageModel, PictureSpace
from latentvision.mllm.models.transfusion import Transfusion, TransfusionConfig
from latentvision.mllm.pictures import CodeEncoder, PictureEncoder, TokenizerEncoder
from latentvision.mllm.tokens.vocabulary import make_vocabulary
from latentvision.tokenizer.model import Tokenizer

PageModelConfig = Annotated[
    MultimodalLMConfig | TransfusionConfig | CodeLMConfig, Field(discriminator="kind")
]


def build_encoder(tokenizer: Tokenizer, config: PageModelConfig) -> PictureEncoder:
    """What turns pictures into the model's latents or codes.

    Raises:
        ConfigError: the tokenizer is not of the kind that the model needs.
    """
    return CodeEncoder(tokenizer) if config.kind == "vq" else TokenizerEncoder(tokenizer)


def space_of(encoder: PictureEncoder) -> PictureSpace:
    """What an encoder makes of a picture."""
    return PictureSpace(
        num_latents=encoder.num_latents,
        latent_dim=sum(encoder.latent_dims),
        num_codes=encoder.num_codes,
    )


def speech_of(config: PageModelConfig) -> SpeechConfig | None:
    """The speech of a model; only LatentLM can have it."""
    return config.speech if isinstance(config, MultimodalLMConfig) else None


def build_page_model(text_size: int, space: PictureSpace, config: PageModelConfig) -> PageModel:
    """The model of a text tokenizer with `text_size` ids; fresh weights of torch's generator."""
    vocabulary = make_vocabulary(text_size, space.num_codes, speech_of(config) is not None)
    match config:
        case MultimodalLMConfig():
            return MultimodalLM(vocabulary, space, config)
        case TransfusionConfig():
            return Transfusion(vocabulary, space, config)
        case CodeLMConfig():
            return CodeLM(vocabulary, space, config)
