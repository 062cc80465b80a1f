"""How an utterance and its prompt become one mixed sequence.

    [prompt text] BOD prompt latents EOD  text BOD latents EOD

Text stands before its latents (paper Figure 2). The prompt stands first, so that it is the same
prefix for every sentence; without a transcript its text is left out. The unconditional sequence of
classifier-free guidance is BOD latents EOD alone.

In the layout `aligned` the text is followed by EOD and stands there twice: whole, and symbol by
symbol where it is heard.

    [prompt]  text EOD BOD symbol latent symbol symbol latent latent symbol latent ... EOD

Nothing can be skipped or said twice: the symbols are known, and the model says when the next one
comes. It takes their times in training, and the prompt stays as it is. A symbol among the latents
brings its neighbours along, for sounds depend on what comes next, and to find that in the text
above is hard to learn.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.lm.latent_lm import ModalityConfig
from latentspeech.core.lm.mixed_sequence import (
    NO_NEIGHBOUR,
    LatentSpan,
    MixedSequence,
    TokenSpan,
)
from latentspeech.tts.model import SPEECH


@dataclass(frozen=True)
class SpokenText:
    """Text token ids (None: not known) and the latents (T, D) that speak them."""

    text_ids: Sequence[int] | None
    latents: Tensor


@dataclass(frozen=True)
class SpokenSymbols:
    """Token ids, the frame in which each begins, and the latents (T, D) that speak them."""

    text_ids: Sequence[int]
    starts: Sequence[int]  # never falling, from 0 to less than T
    latents: Tensor
    neighbours: tuple[int, int] = (0, 0)  # before and after, that a symbol brings along


class ConditioningConfig(Config):
    """How often training hides a condition, so that the model can do without it."""

    drop_condition: float = Field(0.1, ge=0, le=1, description="text and prompt, for guidance")
    drop_prompt: float = Field(0.1, ge=0, le=1, description="the prompt alone")
    drop_prompt_text: float = Field(0.3, ge=0, le=1, description="the transcript of the prompt")


def training_sequence(
    speech: ModalityConfig,
    utterance: SpokenText | SpokenSymbols,
    prompt: SpokenText | None,
    conditioning: ConditioningConfig,
    generator: torch.Generator,
) -> MixedSequence:
    """One training example; `generator` decides what is dropped.

    Latents are targets where their text is known, and their EOD with them; text never is.
    """
    hide_all, hide_prompt, hide_prompt_text = torch.rand(3, generator=generator).tolist()
    if hide_all < conditioning.drop_condition:
        return _target(speech, utterance, with_text=False)
    spans: list[TokenSpan | LatentSpan] = []
    if prompt is not None and hide_prompt >= conditioning.drop_prompt:
        if hide_prompt_text < conditioning.drop_prompt_text:
            prompt = SpokenText(None, prompt.latents)
        spans += _speech(speech, prompt, target=prompt.text_ids is not None)
    return [*spans, *_target(speech, utterance, with_text=True)]


def inference_prompt(
    speech: ModalityConfig, text_ids: Sequence[int], prompt: SpokenText | None
) -> MixedSequence:
    """What the model continues to speak `text_ids`; ends with BOD."""
    spans = [] if prompt is None else voice_prefix(speech, prompt)
    return [*spans, _tokens([*text_ids, speech.bod_id], False)]


def voice_prefix(speech: ModalityConfig, prompt: SpokenText) -> MixedSequence:
    """What every `inference_prompt` with this prompt begins with."""
    return _speech(speech, prompt, target=False)


def unconditional_prompt(speech: ModalityConfig) -> MixedSequence:
    """The empty prompt of guidance."""
    return [_tokens([speech.bod_id], False)]


def aligned_prompt(
    speech: ModalityConfig, text_ids: Sequence[int], prompt: SpokenText | None
) -> MixedSequence:
    """As `inference_prompt` in the layout `aligned`; `aligned_script` stands among what follows."""
    return inference_prompt(speech, [*text_ids, speech.eod_id], prompt)


def aligned_script(
    speech: ModalityConfig, text_ids: Sequence[int], neighbours: tuple[int, int] = (0, 0)
) -> TokenSpan:
    """The tokens that stand among the latents, the last of which ends them."""
    beside = _beside(text_ids, neighbours)
    none = torch.full((1, beside.shape[1]), NO_NEIGHBOUR)
    return _tokens([*text_ids, speech.eod_id], True, torch.cat((beside, none)))


def symbol_frames(ends_s: Sequence[float], frame_rate: float, num_frames: int) -> list[int]:
    """Ends of symbols in seconds to the frame in which each begins."""
    starts_s = (0.0, *ends_s[:-1])
    return [min(math.floor(start_s * frame_rate), num_frames - 1) for start_s in starts_s]


def _target(
    speech: ModalityConfig, spoken: SpokenText | SpokenSymbols, with_text: bool
) -> list[TokenSpan | LatentSpan]:
    if isinstance(spoken, SpokenText):
        text_ids = spoken.text_ids if with_text else None
        return _speech(speech, SpokenText(text_ids, spoken.latents), target=True)
    if not with_text:
        return _speech(speech, SpokenText(None, spoken.latents), target=True)
    return _aligned(speech, spoken)


def _aligned(speech: ModalityConfig, spoken: SpokenSymbols) -> list[TokenSpan | LatentSpan]:
    spans: list[TokenSpan | LatentSpan] = [
        _tokens([*spoken.text_ids, speech.eod_id, speech.bod_id], False)
    ]
    script = aligned_script(speech, spoken.text_ids, spoken.neighbours)
    assert script.neighbours is not None
    beginning = defaultdict(list)  # frame: indices of the symbols that begin in it
    for index, start in enumerate(spoken.starts):
        beginning[start].append(index)
    frames = [*beginning, len(spoken.latents)]
    for (start, at), end in zip(beginning.items(), frames[1:], strict=True):
        spans += [
            TokenSpan(script.ids[at], True, script.neighbours[at]),
            LatentSpan(SPEECH, spoken.latents[start:end], True),
        ]
    return [*spans, TokenSpan(script.ids[-1:], True, script.neighbours[-1:])]


def _beside(ids: Sequence[int], neighbours: tuple[int, int]) -> Tensor:
    """The ids before and after each of n ids, nearest first, (n, sum(neighbours))."""
    before, after = neighbours
    padded = torch.tensor([*[NO_NEIGHBOUR] * before, *ids, *[NO_NEIGHBOUR] * after])
    windows = padded.unfold(0, before + 1 + after, 1)  # (n, before + 1 + after)
    return torch.cat((windows[:, :before].flip(1), windows[:, before + 1 :]), dim=1)


def _speech(
    speech: ModalityConfig, spoken: SpokenText, target: bool
) -> list[TokenSpan | LatentSpan]:
    return [
        _tokens([*(spoken.text_ids or ()), speech.bod_id], False),
        LatentSpan(SPEECH, spoken.latents, target),
        _tokens([speech.eod_id], target),
    ]


def _tokens(ids: Sequence[int], target: bool, neighbours: Tensor | None = None) -> TokenSpan:
    return TokenSpan(torch.tensor(ids, dtype=torch.long), target, neighbours)
