"""Sentences and voices to latents, and once more with other noise where one came out wrong.

Sentences are rows of one batch; a row's result does not depend on the others.

T frames, D latent dimension.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentspeech.core.lm.generate import GeneratedElement, generate
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.lm.prefix_store import Prefix
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.core.tensors import make_generator
from latentspeech.text.normalizer import normalize
from latentspeech.tts.layouts.layout import SpokenText, unconditional_prompt, voice_prefix
from latentspeech.tts.length_guard import is_plausible
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.prompt import Prompt

logger = logging.getLogger(__name__)

CONTEXT_S = 1.5  # of the sentence before, behind the prompt


@dataclass(frozen=True)
class Sentence:
    """What is to be written: normalised text, whose voice, and the seed of its noise."""

    text: str
    voice: Prompt
    seed: int
    before: Tensor | None = None  # (T, D) latents of the sentence before, to go on from


@dataclass(frozen=True)
class WrittenSentence:
    """Latents (T, D), and whether the model was stopped because it would not end."""

    latents: Tensor
    cut: bool


def write(
    model: TTSModel, sentences: Sequence[Sentence], sampling: SamplingConfig, retries: int
) -> list[WrittenSentence]:
    """Writes sentences; those that are cut or of no plausible length again, `retries` times.

    The last attempt stays, with a warning if it is no better.
    """
    written: dict[int, WrittenSentence] = {}
    waiting = list(range(len(sentences)))
    for attempt in range(retries + 1):
        now = [sentences[i] for i in waiting]
        written.update(zip(waiting, _write_once(model, now, sampling, attempt), strict=True))
        waiting = [i for i in waiting if not is_good(model, sentences[i], written[i])]
        if not waiting:
            break
    for i in waiting:
        warn(sentences[i], written[i].cut, retries + 1)
    return [written[i] for i in range(len(sentences))]


def write_steps(
    model: TTSModel, sentences: Sequence[Sentence], sampling: SamplingConfig, attempt: int = 0
) -> Iterator[dict[int, GeneratedElement]]:
    """Writes all sentences at once; yields {index: its next element} a step."""
    lm, rate = model.lm, model.codec.config.frame_rate
    speech = model.layout.speech
    text_ids = model.tokenizer.encode_batch([sentence.text for sentence in sentences])
    voices: list[SpokenText | None] = [_voice(model, sentence) for sentence in sentences]
    without: list[MixedSequence] = []
    if sampling.guided:
        without = [unconditional_prompt(speech)] * len(sentences)
    prefixes: list[Prefix | None] | None = None
    if len(sentences) == 1 and sentences[0].before is None:  # many are faster read at once
        assert voices[0] is not None
        whole = [voice_prefix(speech, voices[0]), *without]
        prefixes = [model.prefixes.get(sequence) for sequence in whole]
        voices, without = [None], [[] for _ in without]
    prompts = [model.layout.prompt(*row) for row in zip(text_ids, voices, strict=True)]
    limits = [
        model.layout.limits(sentence.text, ids, rate)
        for sentence, ids in zip(sentences, text_ids, strict=True)
    ]
    stream = f"synthesis/{attempt}" if attempt else "synthesis"
    steps = generate(
        model.runtime,
        prompts,
        sampling,
        limits,
        [make_generator(sentence.seed, stream) for sentence in sentences],
        without or None,
        prefixes,
        model.layout.policy(lm, sampling),
    )
    for step in steps:
        yield {i: element for i, element in enumerate(step) if element is not None}


def is_good(model: TTSModel, sentence: Sentence, written: WrittenSentence) -> bool:
    """Whether it ended by itself and lasts as long as its text may."""
    seconds = len(written.latents) / model.codec.config.frame_rate
    return not written.cut and is_plausible(sentence.text, seconds)


def warn(sentence: Sentence, cut: bool, attempts: int) -> None:
    """Says that a sentence is not as it should be."""
    logger.warning(
        "%s, in %d attempt%s: %r; another seed or prompt may do better",
        "cut at the longest time expected, the model did not stop"
        if cut
        else "much shorter or longer than its text should take",
        attempts,
        "s" if attempts > 1 else "",
        sentence.text[:60],
    )


def _write_once(
    model: TTSModel, sentences: Sequence[Sentence], sampling: SamplingConfig, attempt: int
) -> list[WrittenSentence]:
    latents: list[list[Tensor]] = [[] for _ in sentences]
    cut = [False] * len(sentences)
    for step in write_steps(model, sentences, sampling, attempt):
        for i, element in step.items():
            cut[i] |= element.truncated
            if element.latent is not None:
                latents[i].append(element.latent)
    rows = zip(latents, cut, strict=True)
    return [WrittenSentence(torch.stack(row), was_cut) for row, was_cut in rows]


def _voice(model: TTSModel, sentence: Sentence) -> SpokenText:
    """What the sentence hears first; latents that the layout changes have no transcript."""
    latents, transcript = sentence.voice.latents, sentence.voice.transcript
    context = round(CONTEXT_S * model.codec.config.frame_rate)
    heard = model.layout.heard(latents, sentence.before, model.max_prompt_latents, context)
    if heard is not latents or transcript is None:
        return SpokenText(None, heard)
    return SpokenText(model.tokenizer.encode(normalize(transcript)), latents)
