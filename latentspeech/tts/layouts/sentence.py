"""The paper's layout (Figure 2): a sentence's text, then all of its latents.

    [prompt text] BOD prompt latents EOD  text BOD latents EOD

T latents, D latent dimension.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from latentspeech.core.lm.config import ModalityConfig
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.array_ops import AnyArray
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.row_policy import GenerationLimits
from latentspeech.core.lm.sampling.switch_policy import SwitchPolicy
from latentspeech.tts.layouts.layout import (
    ConditioningConfig,
    SpokenText,
    shown_conditions,
    spoken_spans,
    tokens,
    voice_prefix,
)
from latentspeech.tts.length_guard import generation_limits
from latentspeech.tts.model import SPEECH

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SentenceLayout:
    """The model has to learn how far it is in the text, and when to stop."""

    speech: ModalityConfig
    kind: Literal["sentence"] = "sentence"
    needs_symbol_times: bool = False
    uses_prompt_text: bool = True

    def training_sequence(
        self,
        utterance: SpokenText,
        symbol_starts: Sequence[int] | None,
        prompt: SpokenText | None,
        conditioning: ConditioningConfig,
        generator: "torch.Generator",
    ) -> MixedSequence:
        """Makes one training example."""
        shown = shown_conditions(self.speech, prompt, conditioning, generator)
        if shown is None:
            shown, utterance = [], SpokenText(None, utterance.latents)
        return [*shown, *spoken_spans(self.speech, utterance, target=True)]

    def prompt(self, text_ids: Sequence[int], voice: SpokenText | None) -> MixedSequence:
        """Makes [voice] text BOD."""
        spans = [] if voice is None else voice_prefix(self.speech, voice)
        return [*spans, tokens([*text_ids, self.speech.bod_id], False)]

    def limits(self, text: str, text_ids: Sequence[int], frame_rate: float) -> GenerationLimits:
        """Returns bounds on the length of speech."""
        return generation_limits(text, frame_rate, self.speech.eod_id)

    def policy(self, runtime: Runtime, sampling: SamplingConfig) -> SwitchPolicy:
        """Returns the policy that chooses between EOD and another latent."""
        return SwitchPolicy(runtime, sampling)

    def heard(
        self, voice: AnyArray, before: AnyArray | None, max_latents: int | None, context: int
    ) -> AnyArray:
        """Returns the whole voice."""
        return voice

    def continuation_prompt(self, text_ids: Sequence[int], given: AnyArray) -> MixedSequence:
        """Makes text BOD given latents; the given latents are at the place of the model's own."""
        return [*self.prompt(text_ids, None), LatentSpan(SPEECH, given, False)]
