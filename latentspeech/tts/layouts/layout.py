"""The contract of a layout, which arranges an utterance and its prompt as one sequence.

    [prompt text] BOD prompt latents EOD  text ... latents EOD

A prompt looks the same in all layouts and comes first, so that it is the same prefix for every
sentence; without a transcript its text is left out. Layouts differ in how they arrange the text and
the latents of the utterance itself.

For guidance, the sequence without the condition is only BOD latents EOD. It has neither the text
nor the prompt, so guidance strengthens the text and the voice together.

T latents, D latent dimension.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.lm.config import ModalityConfig
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.array_ops import AnyArray
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.row_policy import GenerationLimits, RowPolicy
from latentspeech.tts.model import SPEECH, LayoutKind

if TYPE_CHECKING:
    import torch

Spans = list[TokenSpan | LatentSpan]


@dataclass(frozen=True)
class SpokenText:
    """Text token ids (None: unknown) and the latents (T, D) that speak them."""

    text_ids: Sequence[int] | None
    latents: AnyArray


class ConditioningConfig(Config):
    """Probabilities with which training hides a condition, so that the model works without it."""

    drop_condition: float = Field(0.1, ge=0, le=1, description="hides text and prompt (guidance)")
    drop_prompt: float = Field(0.1, ge=0, le=1, description="hides only the prompt")
    drop_prompt_text: float = Field(0.3, ge=0, le=1, description="hides the prompt's transcript")


class Layout(Protocol):
    """Makes the sequences of training and synthesis, and decides what a row may write."""

    @property
    def kind(self) -> LayoutKind:
        """Its name in configurations."""

    @property
    def speech(self) -> ModalityConfig:
        """The modality whose tokens frame the latents."""

    @property
    def needs_symbol_times(self) -> bool:
        """Whether training targets need the times of their symbols."""

    @property
    def uses_prompt_text(self) -> bool:
        """Whether speech is better if the prompt has a transcript."""

    def training_sequence(
        self,
        utterance: SpokenText,
        symbol_starts: Sequence[int] | None,
        prompt: SpokenText | None,
        conditioning: ConditioningConfig,
        generator: "torch.Generator",
    ) -> MixedSequence:
        """Makes one training example; `generator` decides which conditions are hidden.

        The utterance's latents and their EOD are targets, and so are those of a prompt with text;
        text before the latents is not.

        Args:
            utterance: the utterance to learn.
            symbol_starts: the frame in which each of its tokens begins, non-decreasing and in
                [0, T); given exactly if `needs_symbol_times` and the text is known.
            prompt: another utterance of the same speaker.
            conditioning: how often conditions are hidden.
            generator: random numbers on the CPU.
        """

    def prompt(self, text_ids: Sequence[int], voice: SpokenText | None) -> MixedSequence:
        """Makes the prompt for speaking `text_ids`; `voice` comes first, BOD last."""

    def limits(self, text: str, text_ids: Sequence[int], frame_rate: float) -> GenerationLimits:
        """Returns limits of length for a sentence of normalised text, in the form of its policy."""

    def policy(self, runtime: Runtime, sampling: SamplingConfig) -> RowPolicy:
        """Returns the row policy, which decides the next element of a sentence."""

    def heard(
        self, voice: AnyArray, before: AnyArray | None, max_latents: int | None, context: int
    ) -> AnyArray:
        """Returns the latents that come before a sentence.

        Args:
            voice: latents (T, D) of the recording.
            before: latents (T', D) of the sentence before, whose end may be included; or None.
            max_latents: length of the longest prompt in training; None: unknown.
            context: number of latents of the sentence before that are enough.

        Returns:
            `voice` itself if nothing is changed, else latents (T'', D) without a transcript.
        """

    def continuation_prompt(self, text_ids: Sequence[int], given: AnyArray) -> MixedSequence:
        """Makes the prompt to continue a recording from its first latents `given` (T, D).

        Raises:
            ConfigError: the layout cannot continue a recording.
        """


def voice_prefix(speech: ModalityConfig, voice: SpokenText) -> MixedSequence:
    """Makes the beginning of every prompt with this voice."""
    return spoken_spans(speech, voice, target=False)


def unconditional_prompt(speech: ModalityConfig, given: AnyArray | None = None) -> MixedSequence:
    """Makes the prompt without the condition, which is only BOD.

    For a continuation, the given latents (T, D) follow it, since they count as latents that the
    model has written, not as a condition. So guidance of a continuation strengthens only the text,
    and guidance of a prompted sentence strengthens the text and the voice.
    """
    start: Spans = [tokens([speech.bod_id], False)]
    return start if given is None else [*start, LatentSpan(SPEECH, given, False)]


def shown_conditions(
    speech: ModalityConfig,
    prompt: SpokenText | None,
    conditioning: ConditioningConfig,
    generator: "torch.Generator",
) -> Spans | None:
    """Returns the spans of the prompt in a training example; [] if it is hidden or absent.

    Returns None if the text is hidden as well.
    """
    import torch

    hide_all, hide_prompt, hide_prompt_text = torch.rand(3, generator=generator).tolist()
    if hide_all < conditioning.drop_condition:
        return None
    if prompt is None or hide_prompt < conditioning.drop_prompt:
        return []
    if hide_prompt_text < conditioning.drop_prompt_text:
        prompt = SpokenText(None, prompt.latents)
    return spoken_spans(speech, prompt, target=prompt.text_ids is not None)


def spoken_spans(speech: ModalityConfig, spoken: SpokenText, target: bool) -> Spans:
    """Makes [text] BOD latents EOD; `target` says whether latents and EOD are targets."""
    return [
        tokens([*(spoken.text_ids or ()), speech.bod_id], False),
        LatentSpan(SPEECH, spoken.latents, target),
        tokens([speech.eod_id], target),
    ]


def tokens(ids: Sequence[int], target: bool, neighbours: AnyArray | None = None) -> TokenSpan:
    """Makes a token span from a list of ids."""
    return TokenSpan(np.array(ids, dtype=np.int64), target, neighbours)
