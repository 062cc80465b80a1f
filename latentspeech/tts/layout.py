"""How an utterance and its prompt become one mixed sequence.

    [prompt text] BOD prompt latents EOD  text BOD latents EOD

Text stands before its latents (paper Figure 2). The prompt stands first, so that it is the same
prefix for every sentence; without a transcript its text is left out. The unconditional sequence of
classifier-free guidance is BOD latents EOD alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.lm.latent_lm import ModalityConfig
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.tts.model import SPEECH


@dataclass(frozen=True)
class SpokenText:
    """Text token ids (None: not known) and the latents (T, D) that speak them."""

    text_ids: Sequence[int] | None
    latents: Tensor


class ConditioningConfig(Config):
    """How often training hides a condition, so that the model can do without it."""

    drop_condition: float = Field(0.1, ge=0, le=1, description="text and prompt, for guidance")
    drop_prompt: float = Field(0.1, ge=0, le=1, description="the prompt alone")
    drop_prompt_text: float = Field(0.3, ge=0, le=1, description="the transcript of the prompt")


def training_sequence(
    speech: ModalityConfig,
    utterance: SpokenText,
    prompt: SpokenText | None,
    conditioning: ConditioningConfig,
    generator: torch.Generator,
) -> MixedSequence:
    """One training example; `generator` decides what is dropped.

    Latents are targets where their text is known, and their EOD with them; text never is.
    """
    hide_all, hide_prompt, hide_prompt_text = torch.rand(3, generator=generator).tolist()
    if hide_all < conditioning.drop_condition:
        return _speech(speech, SpokenText(None, utterance.latents), target=True)
    spans: list[TokenSpan | LatentSpan] = []
    if prompt is not None and hide_prompt >= conditioning.drop_prompt:
        if hide_prompt_text < conditioning.drop_prompt_text:
            prompt = SpokenText(None, prompt.latents)
        spans += _speech(speech, prompt, target=prompt.text_ids is not None)
    return [*spans, *_speech(speech, utterance, target=True)]


def inference_prompt(
    speech: ModalityConfig, text_ids: Sequence[int], prompt: SpokenText | None
) -> MixedSequence:
    """What the model continues to speak `text_ids`; ends with BOD."""
    spans = [] if prompt is None else _speech(speech, prompt, target=False)
    return [*spans, _tokens([*text_ids, speech.bod_id], False)]


def unconditional_prompt(speech: ModalityConfig) -> MixedSequence:
    """The empty prompt of guidance."""
    return [_tokens([speech.bod_id], False)]


def _speech(
    speech: ModalityConfig, spoken: SpokenText, target: bool
) -> list[TokenSpan | LatentSpan]:
    return [
        _tokens([*(spoken.text_ids or ()), speech.bod_id], False),
        LatentSpan(SPEECH, spoken.latents, target),
        _tokens([speech.eod_id], target),
    ]


def _tokens(ids: Sequence[int], target: bool) -> TokenSpan:
    return TokenSpan(torch.tensor(ids, dtype=torch.long), target)
