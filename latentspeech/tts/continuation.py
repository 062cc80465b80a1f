"""Going on from the first seconds of a recording whose whole text is known (VALL-E's continuation).

    text BOD given latents | latents EOD

The given latents stand where the model's own would, so it goes on in the same voice and room, in
the middle of a word if need be. Guidance strengthens the text alone: the sequence without the
condition has the given latents too, while that of a prompted sentence has no prompt. The layout
`aligned` cannot continue, since the times of the symbols within the given seconds are not known.

T frames, D latent dimension.
"""

import dataclasses
import logging

import torch
from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.core.lm.generate import generate
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.core.tensors import make_generator
from latentspeech.text.normalizer import normalize
from latentspeech.tts.latent_writer import WrittenSentence
from latentspeech.tts.layouts.layout import unconditional_prompt
from latentspeech.tts.length_guard import is_plausible
from latentspeech.tts.model_directory import TTSModel

logger = logging.getLogger(__name__)


def continue_latents(
    model: TTSModel,
    text: str,
    given: Tensor,
    seed: int,
    sampling: SamplingConfig,
    retries: int,
) -> WrittenSentence:
    """The given latents (T, D) and those that speak the rest of `text`, as one (T', D).

    What would not end, or is of no plausible length as a whole, is written again with other noise,
    `retries` times; the last attempt stays, with a warning.

    Raises:
        ConfigError: the layout cannot continue a recording.
        InputError: nothing is given, or as much as the longest time that the text may take.
    """
    layout, rate = model.layout, model.codec.config.frame_rate
    spoken = normalize(text)
    text_ids = model.tokenizer.encode(spoken)
    start = given.to(model.lm.device)
    prompt = layout.continuation_prompt(text_ids, start)
    limits = layout.limits(spoken, text_ids, rate)
    room = limits.max_elements - len(given)
    if not len(given) or room < 1:
        raise InputError(
            f"{len(given) / rate:.2f} s of {text[:40]!r} are given; expected more than none and "
            f"less than {limits.max_elements / rate:.1f} s: give the first seconds of the recording"
        )
    without = [unconditional_prompt(layout.speech, start)] if sampling.guided else None
    policy = layout.policy(model.lm, sampling)
    least = max(limits.min_latents, len(given) + 1)  # something is to be heard of the model
    limits = dataclasses.replace(limits, max_elements=room, min_latents=least)
    for attempt in range(retries + 1):
        stream = f"continuation/{attempt}" if attempt else "continuation"
        generators = [make_generator(seed, stream)]
        latents, cut = [*start], False
        for (element,) in generate(
            model.runtime, [prompt], sampling, [limits], generators, without, policy=policy
        ):
            assert element is not None
            cut |= element.truncated
            if element.latent is not None:
                latents.append(element.latent)
        if not cut and is_plausible(spoken, len(latents) / rate):
            break
    else:
        how = "cut at the longest time expected" if cut else "of no plausible length"
        logger.warning("%s, in %d attempts: %r", how, retries + 1, spoken[:60])
    return WrittenSentence(torch.stack(latents), cut)
