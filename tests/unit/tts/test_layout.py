"""What a training example shows, and what it hides."""

import dataclasses

import torch

from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan, collate
from latentspeech.tts.layout import (
    ConditioningConfig,
    SpokenSymbols,
    SpokenText,
    aligned_prompt,
    aligned_script,
    inference_prompt,
    symbol_frames,
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


def make(
    conditioning: ConditioningConfig,
    prompt: SpokenText | None = PROMPT,
    utterance: SpokenText | SpokenSymbols = UTTERANCE,
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


SYMBOLS = SpokenSymbols([5, 6, 4, 7], [0, 1, 1, 3], torch.arange(20.0).view(5, 4))


def test_symbols_stand_among_their_latents() -> None:
    text = ["5", "6", "4", "7", "21", "20"]
    spoken = ["5!", "z!", "6!", "4!", "z!", "z!", "7!", "z!", "z!", "21!"]
    assert make(NEVER, None, SYMBOLS) == [*text, *spoken]
    prompt = ["8", "9", "20", "z!", "z!", "21!"]
    assert make(NEVER, PROMPT, SYMBOLS) == [*prompt, *text, *spoken]
    nothing = NEVER.model_copy(update={"drop_condition": 1})
    assert make(nothing, PROMPT, SYMBOLS) == ["20", *["z!"] * 5, "21!"]
    spans = training_sequence(SPEECH_CONFIG, SYMBOLS, None, NEVER, torch.Generator())
    latents = [span.latents for span in spans if isinstance(span, LatentSpan)]
    assert torch.equal(torch.cat(latents), SYMBOLS.latents)


def test_speaking_symbols_starts_and_goes_on_as_training_did() -> None:
    trained = make(NEVER, PROMPT, SYMBOLS)
    start = described(aligned_prompt(SPEECH_CONFIG, SYMBOLS.text_ids, PROMPT))
    assert [element.rstrip("!") for element in trained[: len(start)]] == start
    tokens = [element for element in trained[len(start) :] if element != "z!"]
    script = aligned_script(SPEECH_CONFIG, SYMBOLS.text_ids)
    assert tokens == [f"{token}!" for token in script.ids.tolist()]


def test_symbols_bring_their_neighbours_along() -> None:
    script = aligned_script(SPEECH_CONFIG, SYMBOLS.text_ids, (1, 2))
    beside = [[-1, 6, 4], [5, 4, 7], [6, 7, -1], [4, -1, -1], [-1, -1, -1]]
    assert script.neighbours is not None
    assert script.neighbours.tolist() == beside
    symbols = dataclasses.replace(SYMBOLS, neighbours=(1, 2))
    batch = collate(
        [training_sequence(SPEECH_CONFIG, symbols, None, NEVER, torch.Generator())], (4,)
    )
    among = (batch.kinds[0] == 0) & (torch.arange(batch.kinds.shape[1]) > 5)
    assert batch.neighbour_ids[0, among].tolist() == beside
    assert (batch.neighbour_ids[0, ~among] == -1).all()


def test_a_symbol_begins_in_the_frame_where_the_one_before_ends() -> None:
    assert symbol_frames([0.05, 0.32, 0.39, 0.7, 1.2], 10.0, 12) == [0, 0, 3, 3, 7]
    assert symbol_frames([0.5, 1.25, 1.3], 10.0, 12) == [0, 5, 11]
