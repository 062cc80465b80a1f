"""What a training example shows, and what it hides."""

import torch

from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan, collate
from latentspeech.tts.layout import (
    ConditioningConfig,
    SpokenText,
    inference_prompt,
    training_sequence,
    unconditional_prompt,
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


def make(conditioning: ConditioningConfig, prompt: SpokenText | None = PROMPT) -> list[str]:
    generator = torch.Generator().manual_seed(0)
    return described(training_sequence(SPEECH_CONFIG, UTTERANCE, prompt, conditioning, generator))


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
