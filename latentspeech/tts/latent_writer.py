"""Writes latents for sentences in given voices.

Sentences are rows of one batch; a row's result does not depend on the others.

T frames, D latent dimension.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import GeneratedElement, generate_rows
from latentspeech.core.lm.sampling.prefix_store import PrefixStore
from latentspeech.core.lm.sampling.session import SessionRow
from latentspeech.text.normalizer import NormalizedText, normalize
from latentspeech.tts.layouts.layout import SpokenText, unconditional_prompt, voice_prefix
from latentspeech.tts.length_guard import without_minimum
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.retries import WrittenSentence, stream_of_noise, write_until_good

CONTEXT_S = 1.5  # length of the end of the sentence before, after the prompt


@dataclass(frozen=True)
class Sentence:
    """A sentence to write: its text, voice and seed of noise."""

    text: NormalizedText
    voice: Prompt
    seed: int
    before: NDArray[np.float32] | None = None  # (T, D) latents of the sentence before
    min_length: bool = True  # as in LengthGuard
    ids: tuple[int, ...] | None = None  # tokens of the text; None: the tokenizer's own


def write(
    model: TTSModel, sentences: Sequence[Sentence], sampling: SamplingConfig, retries: int
) -> list[WrittenSentence]:
    """Writes sentences as one batch; bad ones are written again, at most `retries` times."""

    def write_once(rows: Sequence[int], attempt: int) -> list[WrittenSentence]:
        return _write_once(model, [sentences[i] for i in rows], sampling, attempt)

    texts = [sentence.text for sentence in sentences]
    return write_until_good(texts, model.codec.config.frame_rate, retries, write_once)


def write_steps(
    model: TTSModel, sentences: Sequence[Sentence], sampling: SamplingConfig, attempt: int = 0
) -> Iterator[dict[int, GeneratedElement]]:
    """Writes all sentences at once; yields {index: its next element} at each step."""
    text_ids = _text_ids(model, sentences)
    # The prompts of several sentences are read faster at once, without stored prefixes.
    prefixes = model.prefixes if len(sentences) == 1 else None
    rows = [
        session_row(model, sentence, ids, sampling, prefixes, attempt)
        for sentence, ids in zip(sentences, text_ids, strict=True)
    ]
    policy = model.layout.policy(model.runtime, sampling)
    for step in generate_rows(model.runtime, rows, sampling, policy):
        yield {i: _on_host(model.runtime, one) for i, one in enumerate(step) if one is not None}


def session_row(
    model: TTSModel,
    sentence: Sentence,
    text_ids: Sequence[int],
    sampling: SamplingConfig,
    prefixes: PrefixStore | None = None,
    attempt: int = 0,
) -> SessionRow:
    """Makes the row of a session that writes a sentence, whose text has these token ids.

    A sentence without one before it starts from the prefix of its voice, if there are `prefixes`.
    """
    layout, rate = model.layout, model.codec.config.frame_rate
    voice: SpokenText | None = _voice(model, sentence)
    without = unconditional_prompt(layout.speech) if sampling.guided else None
    prefix = unconditional_prefix = None
    if prefixes is not None and sentence.before is None:
        assert voice is not None
        prefix, voice = prefixes.get(voice_prefix(layout.speech, voice)), None
        if without is not None:
            unconditional_prefix, without = prefixes.get(without), []
    limits = layout.limits(sentence.text, text_ids, rate)
    return SessionRow(
        layout.prompt(text_ids, voice),
        limits if sentence.min_length else without_minimum(limits),
        model.runtime.ops.generator(sentence.seed, stream_of_noise("synthesis", attempt)),
        without,
        prefix,
        unconditional_prefix,
    )


def _write_once(
    model: TTSModel, sentences: Sequence[Sentence], sampling: SamplingConfig, attempt: int
) -> list[WrittenSentence]:
    latents: list[list[NDArray[np.float32]]] = [[] for _ in sentences]
    frames: list[list[int]] = [[] for _ in sentences]
    truncated = [False] * len(sentences)
    for step in write_steps(model, sentences, sampling, attempt):
        for i, element in step.items():
            truncated[i] |= element.truncated
            if element.latent is not None:
                latents[i].append(element.latent)
            else:
                frames[i].append(len(latents[i]))
    rows = zip(latents, truncated, frames, strict=True)
    return [WrittenSentence(np.stack(row), cut, tuple(places)) for row, cut, places in rows]


def _text_ids(model: TTSModel, sentences: Sequence[Sentence]) -> list[Sequence[int]]:
    """Returns the tokens of each sentence; those that none gives are encoded together."""
    encoded = iter(model.tokenizer.encode_batch([one.text for one in sentences if one.ids is None]))
    return [next(encoded) if one.ids is None else one.ids for one in sentences]


def _voice(model: TTSModel, sentence: Sentence) -> SpokenText:
    """Returns the voice before the sentence; latents that the layout changed have no transcript."""
    latents, transcript = sentence.voice.latents, sentence.voice.transcript
    context = round(CONTEXT_S * model.codec.config.frame_rate)
    heard = model.layout.heard(latents, sentence.before, model.max_prompt_latents, context)
    if heard is not latents or transcript is None:
        return SpokenText(None, heard)
    return SpokenText(model.tokenizer.encode(normalize(transcript)), latents)


def _on_host(runtime: Runtime, element: GeneratedElement) -> GeneratedElement:
    if element.latent is None:
        return element
    return dataclasses.replace(element, latent=runtime.ops.to_host(element.latent))
