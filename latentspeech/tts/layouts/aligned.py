"""The layout `aligned`: the symbols of the text are among the latents that speak them.

    [prompt]  text EOD BOD symbol latent symbol symbol latent latent symbol latent ... EOD

The text occurs twice, once whole and once symbol by symbol where it is heard. So nothing can be
skipped or said twice: the symbols are known, and the model only decides when the next one comes.
Training needs the times of the symbols. A symbol among the latents also carries the ids of its
neighbours, since sounds depend on the next symbol, and finding it in the text above is hard to
learn. The prompt has no symbols among its latents.

T latents, D latent dimension, n tokens, C neighbours of a symbol.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.config import ModalityConfig
from latentspeech.core.lm.mixed_sequence import (
    NO_NEIGHBOUR,
    LatentSpan,
    MixedSequence,
    TokenSpan,
)
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.array_ops import AnyArray
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.tts.layouts.aligned_policy import AlignedLimits, AlignedPolicy
from latentspeech.tts.layouts.layout import (
    ConditioningConfig,
    Spans,
    SpokenText,
    shown_conditions,
    spoken_spans,
    tokens,
    voice_prefix,
)
from latentspeech.tts.length_guard import LONGEST_SYMBOL_S, generation_limits
from latentspeech.tts.model import SPEECH

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class AlignedLayout:
    """The next symbol is given to the model, which learns when it comes."""

    speech: ModalityConfig
    neighbours: tuple[int, int] = (0, 0)  # numbers of symbols, before and after, that one carries
    kind: Literal["aligned"] = "aligned"
    needs_symbol_times: bool = True
    uses_prompt_text: bool = False

    def training_sequence(
        self,
        utterance: SpokenText,
        symbol_starts: Sequence[int] | None,
        prompt: SpokenText | None,
        conditioning: ConditioningConfig,
        generator: "torch.Generator",
    ) -> MixedSequence:
        """Makes one training example; an utterance without text is BOD latents EOD."""
        shown = shown_conditions(self.speech, prompt, conditioning, generator)
        if shown is None:
            return spoken_spans(self.speech, SpokenText(None, utterance.latents), target=True)
        if utterance.text_ids is None:
            return [*shown, *spoken_spans(self.speech, utterance, target=True)]
        assert symbol_starts is not None, "a text in the layout aligned needs its symbols' times"
        return [*shown, *self._symbol_by_symbol(utterance, symbol_starts)]

    def prompt(self, text_ids: Sequence[int], voice: SpokenText | None) -> MixedSequence:
        """Makes [voice] text EOD BOD."""
        spans = [] if voice is None else voice_prefix(self.speech, voice)
        return [*spans, tokens([*text_ids, self.speech.eod_id, self.speech.bod_id], False)]

    def script(self, text_ids: Sequence[int]) -> TokenSpan:
        """Returns the tokens among the latents of a text; the last one ends the latents."""
        beside = _beside(text_ids, self.neighbours)
        of_end = np.full((1, beside.shape[1]), NO_NEIGHBOUR)
        return tokens([*text_ids, self.speech.eod_id], True, np.concatenate((beside, of_end)))

    def limits(self, text: str, text_ids: Sequence[int], frame_rate: float) -> AlignedLimits:
        """Returns bounds on the length of speech and of each symbol; tokens count like latents."""
        whole = generation_limits(text, frame_rate, self.speech.eod_id)
        script = self.script(text_ids)
        return AlignedLimits(
            max_elements=whole.max_elements + len(script.ids),
            min_latents=whole.min_latents,
            script=script,
            max_run=math.ceil(LONGEST_SYMBOL_S * frame_rate),
        )

    def policy(self, runtime: Runtime, sampling: SamplingConfig) -> AlignedPolicy:
        """Returns the policy that chooses between the next symbol and another latent."""
        return AlignedPolicy(runtime, SPEECH, sampling.stop_bias)

    def heard(
        self, voice: AnyArray, before: AnyArray | None, max_latents: int | None, context: int
    ) -> AnyArray:
        """Returns the start of the voice, then the end of `before`; no longer than in training."""
        most = max_latents or len(voice)
        if before is None:
            return voice if len(voice) <= most else voice[:most]
        tail = before[-min(context, most // 2) :]
        return np.concatenate((voice[: most - len(tail)], tail))

    def continuation_prompt(self, text_ids: Sequence[int], given: AnyArray) -> MixedSequence:
        """Raises ConfigError: the symbols' times within the given latents are not known."""
        raise ConfigError(
            "a model of the layout 'aligned' cannot continue a recording, since the times of its "
            "symbols are not known; use the setting 'reference'"
        )

    def _symbol_by_symbol(self, utterance: SpokenText, starts: Sequence[int]) -> Spans:
        """Makes text EOD BOD, then each symbol before the latents of the frames from its start."""
        assert utterance.text_ids is not None
        script = self.script(utterance.text_ids)
        assert script.neighbours is not None
        beginning = defaultdict(list)  # frame: indices of the symbols that begin in it
        for index, start in enumerate(starts):
            beginning[start].append(index)
        spans: Spans = [*self.prompt(utterance.text_ids, None)]
        ends = [*beginning, len(utterance.latents)][1:]
        for (start, at), end in zip(beginning.items(), ends, strict=True):
            spans += [
                TokenSpan(script.ids[at], True, script.neighbours[at]),
                LatentSpan(SPEECH, utterance.latents[start:end], True),
            ]
        return [*spans, TokenSpan(script.ids[-1:], True, script.neighbours[-1:])]


def symbol_frames(ends_s: Sequence[float], frame_rate: float, num_frames: int) -> list[int]:
    """Returns the frame in which each symbol begins, from the times in s at which each ends."""
    starts_s = (0.0, *ends_s[:-1])
    return [min(math.floor(start_s * frame_rate), num_frames - 1) for start_s in starts_s]


def _beside(ids: Sequence[int], neighbours: tuple[int, int]) -> AnyArray:
    """Returns the ids before and after each of n ids, nearest first, (n, C)."""
    before, after = neighbours
    padded = np.array([*[NO_NEIGHBOUR] * before, *ids, *[NO_NEIGHBOUR] * after], dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, before + 1 + after)
    return np.concatenate((windows[:, :before][:, ::-1], windows[:, before + 1 :]), axis=1)
