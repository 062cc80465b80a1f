"""What a training example shows, and what it hides."""

import pytest
import torch

from latentspeech.core.lm.generate import GenerationLimits
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan, collate
from latentspeech.tts.layout import (
    ConditioningConfig,
    SpokenText,
    SpokenWords,
    inference_prompt,
    training_sequence,
    unconditional_prompt,
    word_continuations,
    word_frames,
    word_prompt,
)
from latentspeech.tts.model import SPEECH, TTSModelConfig, latent_lm_config

SPEECH_CONFIG = latent_lm_config(TTSModelConfig(), 20, 4).modalities[SPEECH]
BOD, EOD = 20, 21
NEVER = ConditioningConfig(drop_condition=0, drop_prompt=0, drop_prompt_text=0)
UTTERANCE = SpokenText([5, 6, 7], torch.ones(3, 4))
PROMPT = SpokenText([8, 9], torch.zeros(2, 4))


def described(sequence: MixedSequence) -> list[str]:
    """Token ids, and z for each latent; a trailing ! marks targets."""
    elements: list[str] = []
    for span in sequence:
        mark = "!" if span.target else ""
        if isinstance(span, TokenSpan):
            elements += [f"{i}{mark}" for i in span.ids.tolist()]
        else:
            elements += [f"z{mark}"] * len(span.latents)
    return elements


def make(
    conditioning: ConditioningConfig,
    prompt: SpokenText | None = PROMPT,
    utterance: SpokenText | SpokenWords = UTTERANCE,
) -> list[str]:
    generator = torch.Generator().manual_seed(0)
    return described(training_sequence(SPEECH_CONFIG, utterance, prompt, conditioning, generator))


def test_everything_shown() -> None:
    prompt = ["8", "9", "20", "z!", "z!", "21!"]
    assert make(NEVER) == [*prompt, "5", "6", "7", "20", "z!", "z!", "z!", "21!"]
    assert make(NEVER, None) == ["5", "6", "7", "20", "z!", "z!", "z!", "21!"]


def test_hidden_conditions() -> None:
    target = ["5", "6", "7", "20", "z!", "z!", "z!", "21!"]
    assert make(NEVER.model_copy(update={"drop_prompt": 1})) == target
    # A prompt whose text is hidden is heard, not learned: nothing says what it should be.
    untold = NEVER.model_copy(update={"drop_prompt_text": 1})
    assert make(untold) == ["20", "z", "z", "21", *target]
    nothing = NEVER.model_copy(update={"drop_condition": 1})
    assert make(nothing) == ["20", "z!", "z!", "z!", "21!"]


def test_conditions_are_hidden_as_often_as_asked() -> None:
    conditioning = ConditioningConfig(drop_condition=0.2, drop_prompt=0.0, drop_prompt_text=0.5)
    generator = torch.Generator().manual_seed(0)
    lengths = [
        len(described(training_sequence(SPEECH_CONFIG, UTTERANCE, PROMPT, conditioning, generator)))
        for _ in range(2000)
    ]
    assert abs(lengths.count(5) / 2000 - 0.2) < 0.03
    assert abs(lengths.count(12) / 2000 - 0.4) < 0.04


def test_inference_continues_what_training_shows() -> None:
    """The prompt of inference is the training sequence up to the first latent to be written."""
    trained = described(
        training_sequence(SPEECH_CONFIG, UTTERANCE, PROMPT, NEVER, torch.Generator())
    )
    prompt = described(inference_prompt(SPEECH_CONFIG, [5, 6, 7], PROMPT))
    assert [element.rstrip("!") for element in trained[: len(prompt)]] == prompt
    assert trained[len(prompt)] == "z!"
    assert described(unconditional_prompt(SPEECH_CONFIG)) == [str(BOD)]


def test_latents_arrive_in_order() -> None:
    sequence = training_sequence(SPEECH_CONFIG, UTTERANCE, PROMPT, NEVER, torch.Generator())
    batch = collate([sequence], (4,))
    assert batch.latents[SPEECH].tolist() == [[0.0] * 4] * 2 + [[1.0] * 4] * 3
    spans = [span for span in sequence if isinstance(span, LatentSpan)]
    assert [span.modality for span in spans] == [SPEECH, SPEECH]


SPACE = 4
WORDS = SpokenWords([5, 6, SPACE, 7], [[5, 6], [7]], [2, 3], torch.arange(12.0).view(3, 4))


def test_words_take_turns_with_their_latents() -> None:
    text = ["5", "6", "4", "7", "21"]
    first, second = ["5", "6", "20", "z!", "z!", "21!"], ["7", "20", "z!", "21!"]
    assert make(NEVER, None, WORDS) == [*text, *first, *second]
    prompt = ["8", "9", "20", "z!", "z!", "21!"]
    assert make(NEVER, PROMPT, WORDS) == [*prompt, *text, *first, *second]
    nothing = NEVER.model_copy(update={"drop_condition": 1})
    assert make(nothing, PROMPT, WORDS) == ["20", "z!", "z!", "21!", "20", "z!", "21!"]
    generator = torch.Generator().manual_seed(0)
    spans = training_sequence(SPEECH_CONFIG, WORDS, None, NEVER, generator)
    latents = [span.latents for span in spans if isinstance(span, LatentSpan)]
    assert torch.equal(torch.cat(latents), WORDS.latents)


def test_speaking_words_starts_and_goes_on_as_training_did() -> None:
    trained = make(NEVER, None, WORDS)
    start = word_prompt(SPEECH_CONFIG, WORDS.text_ids, WORDS.words[0], None)
    limits = [GenerationLimits(9), GenerationLimits(5)]
    (part,) = word_continuations(SPEECH_CONFIG, WORDS.words, limits)
    written = ["z!", "z!", "21!"]
    assert trained[: len(trained) - 2] == [*described(start), *written, *described(part.given)]
    assert part.limits is limits[1]
    empty = make(NEVER.model_copy(update={"drop_condition": 1}), None, WORDS)
    unconditional = described(unconditional_prompt(SPEECH_CONFIG))
    assert empty[:5] == [*unconditional, *written, *described(part.unconditional)]


def test_every_word_has_a_frame_and_the_last_ends_with_the_latents() -> None:
    assert word_frames([0.5, 1.0], 10.0, 12) == [5, 12]
    assert word_frames([0.01, 0.02, 1.0], 10.0, 10) == [1, 2, 10]
    assert word_frames([0.9, 0.95, 0.99], 10.0, 10) == [8, 9, 10]
    with pytest.raises(ValueError, match="3 words in 2 frames"):
        word_frames([0.1, 0.2, 0.3], 10.0, 2)
