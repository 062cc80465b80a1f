"""The text-to-speech LatentLM: which tokens frame speech, and its sizes (paper H.5.1).

The tokenizer's ids come first; BOD, EOD and the slot token stand behind them.
"""

from typing import Literal

from pydantic import Field, NonNegativeInt

from latentspeech.core.config import Config
from latentspeech.core.diffusion.process import DiffusionConfig
from latentspeech.core.lm.latent_lm import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.core.nn.transformer import TransformerConfig

SPEECH = 0  # index of the only modality


LayoutKind = Literal["sentence", "aligned"]


# What the paper speaks with (5.3: CFG scale 4, 5 steps; Figure 15).
PAPER_SAMPLING = SamplingConfig(cfg_scale=4.0, num_steps=5, noise_scale=1.0)


class SpeechLMConfig(LatentLMConfig):
    """A LatentLM, how text and speech take turns in it (tts/layouts), and how it is sampled."""

    sampling: SamplingConfig = Field(
        description="how latents are drawn unless a command asks for something else"
    )
    layout: LayoutKind = Field("sentence", description="text then latents, or symbols among them")
    neighbours: tuple[NonNegativeInt, NonNegativeInt] = Field(
        (0, 0), description="symbols before and after that one among the latents brings along"
    )
    max_prompt_s: float | None = Field(
        None, gt=0, description="longest prompt in training, seconds; None: not known"
    )
    codec_hash: str = Field(
        "", description="of the codec whose latents it writes; empty: not known"
    )


class TTSModelConfig(Config):
    """What a TTS run chooses; the tokenizer and the codec decide the rest."""

    layout: LayoutKind = Field(
        "sentence", description="text then latents (the paper), or symbols among them"
    )
    neighbours: tuple[NonNegativeInt, NonNegativeInt] = Field(
        (0, 0), description="aligned: neighbours before and after that a symbol brings along"
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
    """The LatentLM over `text_vocab_size` text tokens and speech latents of `latent_dim`."""
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
