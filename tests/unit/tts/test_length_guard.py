"""Bounds on how long a text may last."""

import pytest

from latentspeech.tts.length_guard import generation_limits, is_plausible


def test_ordinary_speech_lies_within_the_bounds() -> None:
    text = "The quick brown fox jumps over the lazy dog near the river bank."
    limits = generation_limits(text, frame_rate=15.0, eod_id=3)
    for characters_per_second in (6, 15, 30):
        frames = len(text) / characters_per_second * 15
        assert limits.min_latents <= frames <= limits.max_elements
    assert limits.end_ids == {3}


@pytest.mark.parametrize(("seconds", "plausible"), [(1.0, False), (2.5, True), (20.0, False)])
def test_how_long_a_sentence_can_take(seconds: float, plausible: bool) -> None:
    assert is_plausible("a" * 40, seconds) == plausible


def test_a_runaway_is_stopped_and_a_word_may_be_short() -> None:
    limits = generation_limits("Yes.", frame_rate=15.0, eod_id=3)
    assert limits.min_latents == 1
    assert limits.max_elements < 3 * 15
