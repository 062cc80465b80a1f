"""Going on from the first seconds of a recording whose whole text is known (VALL-E's continuation).

    text BOD given latents | latents EOD

The given latents stand where the model's own would, so it goes on in the same voice and room, in
the middle of a word if need be. Only the layout `text first` can do so: in `aligned` the times of
the symbols within the given seconds would have to be known.

Guidance keeps the given latents in the row without the condition, which lacks the text alone. Where
a sentence is spoken after a prompt, that row has neither text nor prompt (tts/latent_writer.py). So
one cfg_scale means two things in the two settings of the paper's Table 4.

T frames, D latent dimension.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.lm.generate import SamplingConfig, generate
from latentspeech.core.lm.mixed_sequence import LatentSpan
from latentspeech.core.lm.writing_row import GenerationLimits
from latentspeech.core.tensors import make_generator
from latentspeech.text.normalizer import NormalizedText
from latentspeech.tts.layout import inference_prompt, unconditional_prompt
from latentspeech.tts.length_guard import LengthGuard, generation_limits, without_minimum
from latentspeech.tts.model import SPEECH
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.retries import WrittenSentence, stream_of_noise, write_until_good


@dataclass(frozen=True)
class Beginning:
    """A whole text, the latents (T, D) of its first seconds, and the seed of the noise."""

    text: NormalizedText
    given: Tensor
    seed: int


def continue_latents(
    model: TTSModel,
    beginnings: Sequence[Beginning],
    sampling: SamplingConfig,
    guard: LengthGuard,
) -> list[WrittenSentence]:
    """Goes on from all beginnings as one batch; each result is its given latents and the new ones.

    What would not end, or is of no plausible length as a whole, is written again with other noise,
    as often as the guard says.

    Raises:
        ConfigError: the model has another layout.
        InputError: nothing is given, or as much as the longest time that the text may take.
    """
    if model.layout == "aligned":
        raise ConfigError(
            "a model of the layout 'aligned' cannot continue a recording, since the times of its "
            "symbols are not known; use the setting 'reference'"
        )
    limits = [_limits(model, beginning, guard) for beginning in beginnings]

    def write_once(rows: Sequence[int], attempt: int) -> list[WrittenSentence]:
        chosen = [(beginnings[i], limits[i]) for i in rows]
        return _write_once(model, chosen, sampling, attempt)

    texts = [beginning.text for beginning in beginnings]
    return write_until_good(texts, model.codec.config.frame_rate, guard.retries, write_once)


def _limits(model: TTSModel, beginning: Beginning, guard: LengthGuard) -> GenerationLimits:
    """Limits of what is written behind the given latents, one latent at least."""
    text, num_given, rate = beginning.text, len(beginning.given), model.codec.config.frame_rate
    limits = generation_limits(text, rate, model.lm.config.modalities[SPEECH].eod_id)
    if not guard.min_length:
        limits = without_minimum(limits)
    room = limits.max_elements - num_given
    if not num_given or room < 1:
        raise InputError(
            f"{num_given / rate:.2f} s of {text[:40]!r} are given; expected more than none and "
            f"less than {limits.max_elements / rate:.1f} s: give the first seconds of the recording"
        )
    # The given latents count, since they stand in the sequence.
    least = max(limits.min_latents, num_given + 1)
    return dataclasses.replace(limits, max_elements=room, min_latents=least)


def _write_once(
    model: TTSModel,
    rows: Sequence[tuple[Beginning, GenerationLimits]],
    sampling: SamplingConfig,
    attempt: int,
) -> list[WrittenSentence]:
    speech = model.lm.config.modalities[SPEECH]
    beginnings = [beginning for beginning, _ in rows]
    # Prompts are laid out on the CPU, like all that are read.
    starts = [LatentSpan(SPEECH, one.given.cpu(), False) for one in beginnings]
    ids = model.tokenizer.encode_batch([one.text for one in beginnings])
    prompts = [
        [*inference_prompt(speech, own, None), start]
        for own, start in zip(ids, starts, strict=True)
    ]
    without = None
    if sampling.cfg_scale != 1:
        without = [[*unconditional_prompt(speech), start] for start in starts]
    stream = stream_of_noise("continuation", attempt)
    generators = [make_generator(one.seed, stream) for one in beginnings]
    latents = [[*one.given.to(model.lm.device)] for one in beginnings]
    truncated = [False] * len(rows)
    limits = [limit for _, limit in rows]
    for step in generate(model.runtime, prompts, sampling, limits, generators, without):
        for i, element in enumerate(step):
            if element is not None:
                truncated[i] |= element.truncated
                if element.latent is not None:
                    latents[i].append(element.latent)
    return [
        WrittenSentence(torch.stack(row), was_truncated)
        for row, was_truncated in zip(latents, truncated, strict=True)
    ]
