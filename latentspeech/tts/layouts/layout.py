"""What a layout is: how an utterance and its prompt become one sequence, and how that goes on.

    [prompt text] BOD prompt latents EOD  text ... latents EOD

A prompt looks the same in all layouts and stands first, so that it is the same prefix for every
sentence; without a transcript its text is left out. Layouts differ in how the text of the utterance
itself meets its latents.

The sequence without the condition, for guidance, is BOD latents EOD alone: it has neither the text
nor the prompt, whose voice guidance therefore strengthens together with the text.

T latents, D latent dimension.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.lm.latent_lm import LatentLM, ModalityConfig
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.core.lm.row_policy import GenerationLimits, RowPolicy
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.tts.model import SPEECH, LayoutKind

Spans = list[TokenSpan | LatentSpan]


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


class Layout(Protocol):
    """Owns the sequences of training and synthesis, and what may be written."""

    @property
    def kind(self) -> LayoutKind:
        """Its name in configurations."""

    @property
    def speech(self) -> ModalityConfig:
        """The modality whose tokens frame the latents."""

    @property
    def needs_symbol_times(self) -> bool:
        """Whether targets of training need the times of their symbols."""

    @property
    def uses_prompt_text(self) -> bool:
        """Whether a prompt speaks better with its transcript."""

    def training_sequence(
        self,
        utterance: SpokenText,
        symbol_starts: Sequence[int] | None,
        prompt: SpokenText | None,
        conditioning: ConditioningConfig,
        generator: torch.Generator,
    ) -> MixedSequence:
        """One training example; `generator` decides what is hidden.

        Latents are targets where their text is known, and their EOD with them; text never is.

        Args:
            utterance: what is to be learned.
            symbol_starts: the frame in which each of its tokens begins, never falling, from 0 to
                less than T; needed exactly where `needs_symbol_times` and its text is known.
            prompt: another utterance of the same speaker.
            conditioning: how often conditions are hidden.
            generator: on the CPU.
        """

    def prompt(self, text_ids: Sequence[int], voice: SpokenText | None) -> MixedSequence:
        """What the model continues to speak `text_ids`; ends with BOD. `voice` stands first."""

    def limits(self, text: str, text_ids: Sequence[int], frame_rate: float) -> GenerationLimits:
        """How long a sentence of normalised text may last, and what its policy needs to know."""

    def policy(self, model: LatentLM, sampling: SamplingConfig) -> RowPolicy:
        """What decides how a sentence goes on."""

    def heard(
        self, voice: Tensor, before: Tensor | None, max_latents: int | None, context: int
    ) -> Tensor:
        """The latents that a sentence hears first.

        Args:
            voice: (T, D) of the recording.
            before: of the sentence before, (T', D), of which it may hear the end.
            max_latents: of the longest prompt in training; None: not known.
            context: latents of the sentence before that are enough.

        Returns:
            `voice` itself where nothing is changed, else (T'', D) that have no transcript.
        """

    def continuation_prompt(self, text_ids: Sequence[int], given: Tensor) -> MixedSequence:
        """The prompt of a recording that is to be continued from its first latents `given` (T, D).

        Raises:
            ConfigError: the layout cannot continue a recording.
        """


def voice_prefix(speech: ModalityConfig, voice: SpokenText) -> MixedSequence:
    """What every prompt with this voice begins with."""
    return spoken_spans(speech, voice, target=False)


def unconditional_prompt(speech: ModalityConfig, given: Tensor | None = None) -> MixedSequence:
    """The prompt without the condition, BOD alone.

    For a continuation, the given latents (T, D) stand behind it: they are what the model has
    "written" so far and no condition. So guidance of a continuation strengthens the text alone, and
    that of a prompted sentence the text and the voice.
    """
    start: Spans = [tokens([speech.bod_id], False)]
    return start if given is None else [*start, LatentSpan(SPEECH, given, False)]


def shown_conditions(
    speech: ModalityConfig,
    prompt: SpokenText | None,
    conditioning: ConditioningConfig,
    generator: torch.Generator,
) -> Spans | None:
    """The spans of the prompt in a training example, none where it is hidden or there is none.

    None where the text is hidden as well.
    """
    hide_all, hide_prompt, hide_prompt_text = torch.rand(3, generator=generator).tolist()
    if hide_all < conditioning.drop_condition:
        return None
    if prompt is None or hide_prompt < conditioning.drop_prompt:
        return []
    if hide_prompt_text < conditioning.drop_prompt_text:
        prompt = SpokenText(None, prompt.latents)
    return spoken_spans(speech, prompt, target=prompt.text_ids is not None)


def spoken_spans(speech: ModalityConfig, spoken: SpokenText, target: bool) -> Spans:
    """[text] BOD latents EOD; `target` says whether latents and EOD are to be learned."""
    return [
        tokens([*(spoken.text_ids or ()), speech.bod_id], False),
        LatentSpan(SPEECH, spoken.latents, target),
        tokens([speech.eod_id], target),
    ]


def tokens(ids: Sequence[int], target: bool, neighbours: Tensor | None = None) -> TokenSpan:
    """A span of plain ids."""
    return TokenSpan(torch.tensor(ids, dtype=torch.long), target, neighbours)
