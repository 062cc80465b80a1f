"""Continues a recording from its first seconds; its whole text is known (VALL-E's continuation).

    text BOD given latents | latents EOD

The given latents are at the place of the model's own latents, so the model continues in the same
voice and room, in the middle of a word if necessary. Guidance strengthens only the text, since the
sequence without the condition keeps the given latents. For a prompted sentence that sequence has no
prompt, so one cfg_scale has two meanings in the two settings of the paper's Table 4. The layout
`aligned` cannot continue a recording, since the times of the symbols within the given seconds are
not known.

T frames, D latent dimension.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.errors import InputError
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import generate
from latentspeech.core.lm.sampling.row_policy import GenerationLimits
from latentspeech.text.normalizer import NormalizedText
from latentspeech.tts.layouts.layout import unconditional_prompt
from latentspeech.tts.length_guard import LengthGuard, without_minimum
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.retries import WrittenSentence, stream_of_noise, write_until_good


@dataclass(frozen=True)
class Beginning:
    """A whole text, the latents (T, D) of its first seconds, and the seed of the noise."""

    text: NormalizedText
    given: NDArray[np.float32]
    seed: int


def continue_latents(
    model: TTSModel,
    beginnings: Sequence[Beginning],
    sampling: SamplingConfig,
    guard: LengthGuard,
) -> list[WrittenSentence]:
    """Continues all beginnings as one batch; a result has the given latents and the new ones.

    A row that was truncated, or whose total length is not plausible, is written again with other
    noise, at most `guard.retries` times.

    Raises:
        ConfigError: the layout cannot continue a recording.
        InputError: no latents are given, or as many as the longest time that the text may take.
    """
    ids = model.tokenizer.encode_batch([beginning.text for beginning in beginnings])
    prompts = [
        model.layout.continuation_prompt(own, beginning.given)
        for own, beginning in zip(ids, beginnings, strict=True)
    ]
    limits = [
        _limits(model, beginning, own, guard)
        for own, beginning in zip(ids, beginnings, strict=True)
    ]

    def write_once(rows: Sequence[int], attempt: int) -> list[WrittenSentence]:
        chosen = [(beginnings[i], prompts[i], limits[i]) for i in rows]
        return _write_once(model, chosen, sampling, attempt)

    texts = [beginning.text for beginning in beginnings]
    return write_until_good(texts, model.codec.config.frame_rate, guard.retries, write_once)


def _limits(
    model: TTSModel, beginning: Beginning, text_ids: Sequence[int], guard: LengthGuard
) -> GenerationLimits:
    """Returns limits for the part after the given latents, which has at least one latent."""
    text, num_given, rate = beginning.text, len(beginning.given), model.codec.config.frame_rate
    limits = model.layout.limits(text, text_ids, rate)
    if not guard.min_length:
        limits = without_minimum(limits)
    room = limits.max_elements - num_given
    if not num_given or room < 1:
        raise InputError(
            f"{num_given / rate:.2f} s of {text[:40]!r} are given; expected more than none and "
            f"less than {limits.max_elements / rate:.1f} s: give the first seconds of the recording"
        )
    # The given latents count towards the minimum, since they are part of the sequence.
    least = max(limits.min_latents, num_given + 1)
    return dataclasses.replace(limits, max_elements=room, min_latents=least)


def _write_once(
    model: TTSModel,
    rows: Sequence[tuple[Beginning, MixedSequence, GenerationLimits]],
    sampling: SamplingConfig,
    attempt: int,
) -> list[WrittenSentence]:
    beginnings, prompts, limits = zip(*rows, strict=True)
    without = None
    if sampling.guided:
        without = [unconditional_prompt(model.layout.speech, one.given) for one in beginnings]
    stream = stream_of_noise("continuation", attempt)
    generators = [model.runtime.ops.generator(one.seed, stream) for one in beginnings]
    policy = model.layout.policy(model.runtime, sampling)
    latents = [[*one.given] for one in beginnings]
    truncated = [False] * len(rows)
    for step in generate(
        model.runtime, prompts, sampling, limits, generators, without, policy=policy
    ):
        for i, element in enumerate(step):
            if element is not None:
                truncated[i] |= element.truncated
                if element.latent is not None:
                    latents[i].append(model.runtime.ops.to_host(element.latent))
    return [
        WrittenSentence(np.stack(row), was_truncated)
        for row, was_truncated in zip(latents, truncated, strict=True)
    ]
