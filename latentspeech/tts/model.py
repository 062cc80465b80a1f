"""The configuration of the text-to-speech LatentLM: its sizes (paper H.5.1) and special tokens.

The ids of the tokenizer come first, then BOD, EOD and the slot token.
"""

from typing import Literal

from pydantic import Field, NonNegativeInt

from latentspeech.core.config import Config
from latentspeech.core.diffusion.config import DiffusionConfig
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.nn.config import TransformerConfig

SPEECH = 0  # index of the only modality


LayoutKind = Literal["sentence", "aligned"]


# The sampling settings of the paper (5.3: CFG scale 4, 5 steps; Figure 15).
PAPER_SAMPLING = SamplingConfig(cfg_scale=4.0, num_steps=5, noise_scale=1.0)


class SpeechLMConfig(LatentLMConfig):
    """A LatentLM with its layout of text and latents (tts/layouts) and its sampling."""

    sampling: SamplingConfig = Field(
        description="default sampling of latents, which a command may override"
    )
    layout: LayoutKind = Field("sentence", description="text then latents, or symbols among them")
    neighbours: tuple[NonNegativeInt, NonNegativeInt] = Field(
        (0, 0), description="numbers of symbols before and after whose ids a symbol also carries"
    )
    max_prompt_s: float | None = Field(
        None, gt=0, description="longest prompt in training, seconds; None: unknown"
    )
    codec_hash: str = Field(
        "", description="hash of the codec whose latents it writes; empty: unknown"
    )


class TTSModelConfig(Config):
    """The model settings of a TTS run; the others follow from the tokenizer and the codec."""

    layout: LayoutKind = Field(
        "sentence", description="text then latents (the paper), or symbols among them"
    )
    neighbours: tuple[NonNegativeInt, NonNegativeInt] = Field(
        (0, 0), description="aligned: numbers of symbols before and after that a symbol carries"
    )
    backbone: TransformerConfig = Field(TransformerConfig(), description="the causal Transformer")
    head_layers: int = Field(3, ge=1, description="blocks of the diffusion head")
    head_ffn_dim: int = Field(4096, ge=1, description="inner width of its SwiGLU")
    diffusion: DiffusionConfig = Field(DiffusionConfig(), description="schedule, target and loss")
    diffusion_weight: float = Field(1.0, ge=0, description="alpha in L_LM + alpha L_diff")


def latent_lm_config(
    model: TTSModelConfig,
    text_vocab_size: int,
    latent_dim: int,
    max_prompt_s: float | None = None,
    sampling: SamplingConfig = PAPER_SAMPLING,
) -> SpeechLMConfig:
    """Makes a LatentLM's config for `text_vocab_size` text tokens and latents of `latent_dim`."""
    speech = ModalityConfig(
        name="speech",
        latent_dim=latent_dim,
        bod_id=text_vocab_size,
        eod_id=text_vocab_size + 1,
        slot_id=text_vocab_size + 2,
        head_layers=model.head_layers,
        head_ffn_dim=model.head_ffn_dim,
        diffusion=model.diffusion,
        diffusion_weight=model.diffusion_weight,
    )
    return SpeechLMConfig(
        sampling=sampling,
        layout=model.layout,
        neighbours=model.neighbours,
        num_neighbours=sum(model.neighbours),
        max_prompt_s=max_prompt_s,
        backbone=model.backbone,
        vocab_size=text_vocab_size + 3,
        modalities=(speech,),
    )
