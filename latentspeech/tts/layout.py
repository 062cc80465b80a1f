"""How an utterance and its prompt become one mixed sequence.

    [prompt text] BOD prompt latents EOD  text BOD latents EOD

Text stands before its latents (paper Figure 2). The prompt stands first, so that it is the same
prefix for every sentence; without a transcript its text is left out. The unconditional sequence of
classifier-free guidance is BOD latents EOD alone.

In the layout `words` the text is followed by EOD and stands there twice: whole, and each word
before the latents that speak it.

    [prompt]  text EOD  word BOD latents EOD  word BOD latents EOD ...

Nothing can be skipped or said twice, and a word ends where the model says EOD. It takes the times
of the words in training, and the prompt stays as it is. Without its condition the sequence is BOD
latents EOD for each word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.lm.generate import Continuation, GenerationLimits
from latentspeech.core.lm.latent_lm import ModalityConfig
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.tts.model import SPEECH


@dataclass(frozen=True)
class SpokenText:
    """Text token ids (None: not known) and the latents (T, D) that speak them."""

    text_ids: Sequence[int] | None
    latents: Tensor


@dataclass(frozen=True)
class SpokenWords:
    """The token ids of a text and of its words, and the frame where each ends in latents (T, D)."""

    text_ids: Sequence[int]
    words: Sequence[Sequence[int]]
    ends: Sequence[int]  # rising, the last is T
    latents: Tensor


class ConditioningConfig(Config):
    """How often training hides a condition, so that the model can do without it."""

    drop_condition: float = Field(0.1, ge=0, le=1, description="text and prompt, for guidance")
    drop_prompt: float = Field(0.1, ge=0, le=1, description="the prompt alone")
    drop_prompt_text: float = Field(0.3, ge=0, le=1, description="the transcript of the prompt")


def training_sequence(
    speech: ModalityConfig,
    utterance: SpokenText | SpokenWords,
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
    spans = [] if prompt is None else _speech(speech, prompt, target=False)
    return [*spans, _tokens([*text_ids, speech.bod_id], False)]


def unconditional_prompt(speech: ModalityConfig) -> MixedSequence:
    """The empty prompt of guidance."""
    return [_tokens([speech.bod_id], False)]


def word_prompt(
    speech: ModalityConfig,
    text_ids: Sequence[int],
    first_word: Sequence[int],
    prompt: SpokenText | None,
) -> MixedSequence:
    """As `inference_prompt` in the layout `words`; ends with the BOD of the first word."""
    spans = [] if prompt is None else _speech(speech, prompt, target=False)
    ids = [*text_ids, speech.eod_id, *first_word, speech.bod_id]
    return [*spans, _tokens(ids, False)]


def word_continuations(
    speech: ModalityConfig, words: Sequence[Sequence[int]], limits: Sequence[GenerationLimits]
) -> list[Continuation]:
    """What is given after each word but the last; `limits` of all words."""
    return [
        Continuation(
            given=[_tokens([*word, speech.bod_id], False)],
            unconditional=unconditional_prompt(speech),
            limits=limit,
        )
        for word, limit in zip(words[1:], limits[1:], strict=True)
    ]


def word_frames(ends_s: Sequence[float], frame_rate: float, num_frames: int) -> list[int]:
    """Ends of words in seconds to frames, each word with one frame at least, the last to the end.

    Raises:
        ValueError: more words than frames.
    """
    if len(ends_s) > num_frames:
        raise ValueError(f"{len(ends_s)} words in {num_frames} frames")
    ends = [round(end * frame_rate) for end in ends_s]
    ends[-1] = num_frames
    for i in range(len(ends)):
        ends[i] = max(ends[i], ends[i - 1] + 1 if i else 1)
    for i in reversed(range(len(ends))):
        ends[i] = min(ends[i], num_frames - (len(ends) - 1 - i))
    return ends


def _target(
    speech: ModalityConfig, spoken: SpokenText | SpokenWords, with_text: bool
) -> list[TokenSpan | LatentSpan]:
    if isinstance(spoken, SpokenText):
        text_ids = spoken.text_ids if with_text else None
        return _speech(speech, SpokenText(text_ids, spoken.latents), target=True)
    return _words(speech, spoken, with_text)


def _words(
    speech: ModalityConfig, spoken: SpokenWords, with_text: bool
) -> list[TokenSpan | LatentSpan]:
    spans: list[TokenSpan | LatentSpan] = []
    if with_text:
        spans.append(_tokens([*spoken.text_ids, speech.eod_id], False))
    start = 0
    for word, end in zip(spoken.words, spoken.ends, strict=True):
        part = SpokenText(word if with_text else None, spoken.latents[start:end])
        spans += _speech(speech, part, target=True)
        start = end
    return spans


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
