"""Words and their times: the same whole and streamed, in order, and moved by pace and pauses."""

from pathlib import Path

import numpy as np
import pytest

import latentspeech
from latentspeech.audio.io import write_audio
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.text.reading import Delivery, Lexicon
from latentspeech.tts.length_guard import STREAMED, LengthGuard
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.synthesizer import Synthesizer
from latentspeech.tts.words.word_clock import WordTime
from tests.tiny_models import make_model_directory, voice_like

TEXT = "One 2 three. Four, five!\n\nAnd six?"
WORDS = ["One", "2", "three.", "Four,", "five!", "And", "six?"]
SAMPLING = SamplingConfig(num_steps=1)


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return latentspeech.load(make_model_directory(tmp_path_factory.mktemp("tiny"), "aligned"))


@pytest.fixture(scope="module")
def voice(speaker: Synthesizer, tmp_path_factory: pytest.TempPathFactory) -> Prompt:
    path = tmp_path_factory.mktemp("recording") / "ref.wav"
    write_audio(path, voice_like(2.0), 24_000)
    return speaker.prompt(path)


def texts(words: tuple[WordTime, ...]) -> list[str]:
    return [word.text for word in words]


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_streamed_words_are_those_of_the_whole(
    speaker: Synthesizer, voice: Prompt, retries: int, speed: float
) -> None:
    guard, delivery = LengthGuard(retries=retries), Delivery(speed=speed)
    whole = speaker.synthesize(TEXT, voice, 3, SAMPLING, guard, delivery)
    chunks = list(speaker.stream_chunks(TEXT, voice, 3, SAMPLING, 4, guard, delivery))
    assert sum(len(chunk.samples) for chunk in chunks) == len(whole.samples)
    streamed = [word for chunk in chunks for word in chunk.words]
    assert texts(whole.words) == texts(tuple(streamed)) == WORDS
    for word, other in zip(whole.words, streamed, strict=True):
        assert word.start_s == pytest.approx(other.start_s, abs=0.011)  # a window of the onset
        assert word.end_s == pytest.approx(other.end_s)
    starts = [word.start_s for word in whole.words]
    assert starts == sorted(starts)
    assert all(0 <= word.start_s <= word.end_s <= whole.duration_s for word in whole.words)


def test_words_come_while_the_text_is_spoken(speaker: Synthesizer, voice: Prompt) -> None:
    """And none comes before the samples in which it begins have been written."""
    heard_s = 0.0
    first_word_at = None
    for chunk in speaker.stream_chunks(TEXT, voice, 3, SAMPLING, 1):
        heard_s += len(chunk.samples) / speaker.sample_rate
        if chunk.words and first_word_at is None:
            first_word_at = heard_s
        assert all(word.start_s <= heard_s + 0.2 for word in chunk.words)
    assert first_word_at is not None
    assert first_word_at < heard_s / 2


def test_speed_divides_lengths_and_times(speaker: Synthesizer, voice: Prompt) -> None:
    def spoken(speed: float) -> latentspeech.Audio:
        delivery = Delivery(speed=speed)
        return speaker.synthesize("One two three four.", voice, 1, SAMPLING, STREAMED, delivery)

    plain, fast = spoken(1.0), spoken(2.0)
    assert len(fast.samples) == pytest.approx(len(plain.samples) / 2, abs=1)
    for word, other in zip(plain.words[1:], fast.words[1:], strict=True):
        assert other.start_s == pytest.approx(word.start_s / 2)
        assert other.end_s == pytest.approx(word.end_s / 2)


def test_a_rate_holds_for_its_words_alone(speaker: Synthesizer, voice: Prompt) -> None:
    plain = speaker.synthesize("One two three four.", voice, 1, SAMPLING, STREAMED)
    ssml = '<speak>One <prosody rate="50%">two three</prosody> four.</speak>'
    slow = speaker.synthesize(ssml, voice, 1, SAMPLING, STREAMED)
    assert texts(slow.words) == texts(plain.words)
    one, two, _, four = zip(plain.words, slow.words, strict=True)
    assert one[1].end_s == pytest.approx(one[0].end_s, abs=0.05)
    gap = four[0].start_s - two[0].start_s
    assert four[1].start_s - two[1].start_s == pytest.approx(2 * gap, abs=0.1)


def test_breaks_are_silence_of_their_length(speaker: Synthesizer, voice: Prompt) -> None:
    ssml = '<speak>One.<break time="700ms"/> Two.<break time="1s"/></speak>'
    audio = speaker.synthesize(ssml, voice, 1, SAMPLING, STREAMED)
    assert not audio.samples[-speaker.sample_rate :].any()
    silent = np.flatnonzero(np.diff(np.flatnonzero(audio.samples)) > 0.7 * speaker.sample_rate)
    assert len(silent) == 1
    streamed = np.concatenate(list(speaker.stream(ssml, voice, 1, SAMPLING)))
    assert streamed.shape == audio.samples.shape


def test_a_spelling_is_spoken_and_the_word_is_shown(speaker: Synthesizer, voice: Prompt) -> None:
    delivery = Delivery(lexicon=Lexicon(entries={"nginx": "engine"}))
    spelled = speaker.synthesize("Try nginx.", voice, 1, SAMPLING, STREAMED, delivery)
    plain = speaker.synthesize("Try engine.", voice, 1, SAMPLING, STREAMED)
    assert np.array_equal(spelled.samples, plain.samples)
    assert texts(spelled.words) == ["Try", "nginx."]


def test_what_a_model_cannot_do_is_refused(voice: Prompt, tmp_path: Path) -> None:
    """Pronunciations by a model of letters, and a rate within a sentence without known times."""
    speaker = latentspeech.load(make_model_directory(tmp_path, "sentence"))
    inside = '<speak>One <prosody rate="slow">two</prosody>.</speak>'
    with pytest.raises(ConfigError, match="put <prosody rate> around whole sentences"):
        speaker.synthesize(inside, voice)
    with pytest.raises(ConfigError, match="this model reads letters"):
        speaker.synthesize('<speak><phoneme ph="a">One</phoneme></speak>', voice)
    around = '<speak><prosody rate="50%">One two.</prosody></speak>'
    slow = speaker.synthesize(around, voice, 1, SAMPLING, STREAMED)
    plain = speaker.synthesize("One two.", voice, 1, SAMPLING, STREAMED)
    assert len(slow.samples) == 2 * len(plain.samples)
    assert slow.words == plain.words == ()
