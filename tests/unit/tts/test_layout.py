"""What a training example shows, and what it hides."""

import pytest
import torch

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.mixed_batch import collate
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.tts.layouts.aligned import AlignedLayout, symbol_frames
from latentspeech.tts.layouts.layout import (
    ConditioningConfig,
    Layout,
    SpokenText,
    unconditional_prompt,
)
from latentspeech.tts.layouts.sentence import SentenceLayout
from latentspeech.tts.model import SPEECH, TTSModelConfig, latent_lm_config

SPEECH_CONFIG = latent_lm_config(TTSModelConfig(), 20, 4).modalities[SPEECH]
BOD, EOD = 20, 21
NEVER = ConditioningConfig(drop_condition=0, drop_prompt=0, drop_prompt_text=0)
SENTENCE, ALIGNED = SentenceLayout(SPEECH_CONFIG), AlignedLayout(SPEECH_CONFIG)
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
    layout: Layout = SENTENCE,
    utterance: SpokenText = UTTERANCE,
    starts: list[int] | None = None,
) -> list[str]:
    generator = torch.Generator().manual_seed(0)
    return described(layout.training_sequence(utterance, starts, prompt, conditioning, generator))


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
        len(described(SENTENCE.training_sequence(UTTERANCE, None, PROMPT, conditioning, generator)))
        for _ in range(2000)
    ]
    assert abs(lengths.count(5) / 2000 - 0.2) < 0.03
    assert abs(lengths.count(12) / 2000 - 0.4) < 0.04


def test_inference_continues_what_training_shows() -> None:
    """The prompt of inference is the training sequence up to the first latent to be written."""
    trained = described(
        SENTENCE.training_sequence(UTTERANCE, None, PROMPT, NEVER, torch.Generator())
    )
    prompt = described(SENTENCE.prompt([5, 6, 7], PROMPT))
    assert [element.rstrip("!") for element in trained[: len(prompt)]] == prompt
    assert trained[len(prompt)] == "z!"
    assert described(unconditional_prompt(SPEECH_CONFIG)) == [str(BOD)]


def test_latents_arrive_in_order() -> None:
    sequence = SENTENCE.training_sequence(UTTERANCE, None, PROMPT, NEVER, torch.Generator())
    batch = collate([sequence], (4,))
    assert batch.latents[SPEECH].tolist() == [[0.0] * 4] * 2 + [[1.0] * 4] * 3
    spans = [span for span in sequence if isinstance(span, LatentSpan)]
    assert [span.modality for span in spans] == [SPEECH, SPEECH]


SYMBOLS = SpokenText([5, 6, 4, 7], torch.arange(20.0).view(5, 4))
STARTS = [0, 1, 1, 3]


def test_symbols_stand_among_their_latents() -> None:
    text = ["5", "6", "4", "7", "21", "20"]
    spoken = ["5!", "z!", "6!", "4!", "z!", "z!", "7!", "z!", "z!", "21!"]
    assert make(NEVER, None, ALIGNED, SYMBOLS, STARTS) == [*text, *spoken]
    prompt = ["8", "9", "20", "z!", "z!", "21!"]
    assert make(NEVER, PROMPT, ALIGNED, SYMBOLS, STARTS) == [*prompt, *text, *spoken]
    nothing = NEVER.model_copy(update={"drop_condition": 1})
    assert make(nothing, PROMPT, ALIGNED, SYMBOLS, STARTS) == ["20", *["z!"] * 5, "21!"]
    spans = ALIGNED.training_sequence(SYMBOLS, STARTS, None, NEVER, torch.Generator())
    latents = [span.latents for span in spans if isinstance(span, LatentSpan)]
    assert torch.equal(torch.cat(latents), SYMBOLS.latents)


def test_speaking_symbols_starts_and_goes_on_as_training_did() -> None:
    trained = make(NEVER, PROMPT, ALIGNED, SYMBOLS, STARTS)
    start = described(ALIGNED.prompt(SYMBOLS.text_ids, PROMPT))
    assert [element.rstrip("!") for element in trained[: len(start)]] == start
    tokens = [element for element in trained[len(start) :] if element != "z!"]
    script = ALIGNED.script(SYMBOLS.text_ids)
    assert tokens == [f"{token}!" for token in script.ids.tolist()]


def test_symbols_bring_their_neighbours_along() -> None:
    layout = AlignedLayout(SPEECH_CONFIG, (1, 2))
    script = layout.script(SYMBOLS.text_ids)
    beside = [[-1, 6, 4], [5, 4, 7], [6, 7, -1], [4, -1, -1], [-1, -1, -1]]
    assert script.neighbours is not None
    assert script.neighbours.tolist() == beside
    batch = collate(
        [layout.training_sequence(SYMBOLS, STARTS, None, NEVER, torch.Generator())], (4,)
    )
    among = (batch.kinds[0] == 0) & (torch.arange(batch.kinds.shape[1]) > 5)
    assert batch.neighbour_ids[0, among].tolist() == beside
    assert (batch.neighbour_ids[0, ~among] == -1).all()


def test_a_symbol_begins_in_the_frame_where_the_one_before_ends() -> None:
    assert symbol_frames([0.05, 0.32, 0.39, 0.7, 1.2], 10.0, 12) == [0, 0, 3, 3, 7]
    assert symbol_frames([0.5, 1.25, 1.3], 10.0, 12) == [0, 5, 11]


def test_no_symbol_lasts_long_and_symbols_count_beside_latents() -> None:
    text = "One, two, three."
    limits = ALIGNED.limits(text, list(range(15)), frame_rate=15.0)
    whole = SENTENCE.limits(text, list(range(15)), frame_rate=15.0)
    assert limits.max_elements == whole.max_elements + 16
    assert limits.min_latents == whole.min_latents
    assert limits.max_run == 18
    assert limits.script.ids.tolist() == [*range(15), EOD]
    assert whole.end_ids == {EOD}


def test_aligned_hears_as_much_as_in_training_and_the_end_of_the_sentence_before() -> None:
    voice, before = torch.arange(10.0)[:, None], -torch.arange(1.0, 9.0)[:, None]
    assert SENTENCE.heard(voice, before, 4, 3) is voice
    assert ALIGNED.heard(voice, None, None, 3) is voice
    assert ALIGNED.heard(voice, None, 10, 3) is voice
    assert ALIGNED.heard(voice, None, 4, 3).flatten().tolist() == [0, 1, 2, 3]
    assert ALIGNED.heard(voice, before, 8, 3).flatten().tolist() == [0, 1, 2, 3, 4, -6, -7, -8]
    assert ALIGNED.heard(voice, before, 4, 3).flatten().tolist() == [0, 1, -7, -8]


def test_only_the_papers_layout_continues_a_recording() -> None:
    """Guidance then takes away the text and leaves the given latents."""
    given = torch.ones(2, 4)
    assert described(SENTENCE.continuation_prompt([5, 6], given)) == ["5", "6", "20", "z", "z"]
    assert described(unconditional_prompt(SPEECH_CONFIG, given)) == ["20", "z", "z"]
    with pytest.raises(ConfigError, match="'aligned' cannot continue"):
        ALIGNED.continuation_prompt([5, 6], given)
