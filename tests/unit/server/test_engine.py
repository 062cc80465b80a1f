"""The engine writes many speeches at once, each as if it were alone, and leaves nothing behind."""

import dataclasses
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from latentspeech.server.engine.engine import BusyError, Engine, EngineConfig
from latentspeech.server.engine.fair_queue import FairQueue
from latentspeech.server.engine.quality import choose, qualities
from latentspeech.server.engine.reading import read_text
from latentspeech.server.engine.speech import (
    Event,
    Failed,
    Finished,
    Samples,
    SentenceEnded,
    Speech,
)
from latentspeech.server.metrics import Metrics
from latentspeech.text.reading import PLAIN, Delivery
from latentspeech.tts.models import load
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.synthesizer import Synthesizer, sentence_seed
from tests.tiny_models import CODEC, make_model_directory

TEXTS = (
    "The tide comes in at six. Boats leave! Who knows why?",
    "A cat. A dog.",
    "Nobody asked where they went, or when the ferry would be back from the island.",
)


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    folder = tmp_path_factory.mktemp("model")
    return load(make_model_directory(folder, "aligned", max_prompt_s=2.0), runtime="onnx")


@pytest.fixture(scope="module")
def voice(speaker: Synthesizer) -> Prompt:
    noise = np.random.default_rng(0)
    latents = noise.standard_normal((20, CODEC.latent_dim)).astype(np.float32)
    return Prompt(latents, None, speaker.model.codec_hash)


class Listener:
    """Collects the events of a speech."""

    def __init__(self, speaker: Synthesizer, voice: Prompt, seed: int, client: str = "a") -> None:
        self._events: queue.Queue[Event] = queue.Queue()
        self._model = speaker.model
        self.speech = Speech(voice, seed, client, self._events.put)

    def ask(self, engine: Engine, text: str, delivery: Delivery = PLAIN) -> None:
        engine.submit(self.speech)
        engine.extend(self.speech, read_text(self._model, text, delivery), is_last=True)

    def events(self) -> list[Event]:
        events = [self._events.get(timeout=60)]
        while not isinstance(events[-1], Finished | Failed):
            events.append(self._events.get(timeout=60))
        return events

    def samples(self) -> np.ndarray:
        return np.concatenate([one.values for one in self.events() if isinstance(one, Samples)])

    def wait_for_audio(self) -> None:
        assert isinstance(self._events.get(timeout=60), Samples)


@pytest.fixture
def engine(speaker: Synthesizer) -> Iterator[Engine]:
    made = Engine(speaker.model, EngineConfig(max_rows=3, max_waiting=8), Metrics())
    yield made
    made.close()
    assert not any(thread.name.startswith("speech-") for thread in threading.enumerate())


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_each_of_many_speeches_equals_its_single_run(
    speaker: Synthesizer, voice: Prompt, engine: Engine
) -> None:
    listeners = [Listener(speaker, voice, seed) for seed in range(6)]
    for listener in listeners:
        listener.ask(engine, TEXTS[listener.speech.seed % 3])
    for listener in listeners:
        seed = listener.speech.seed
        alone = np.concatenate(list(speaker.stream(TEXTS[seed % 3], voice, seed)))
        samples = listener.samples()
        assert samples.shape == alone.shape
        np.testing.assert_allclose(samples, alone, atol=1e-3)
    assert engine.num_speeches == engine.num_rows == 0


@pytest.mark.parametrize(
    ("text", "speed"),
    [
        (f"{TEXTS[0]}\n\n{TEXTS[1]}", 1.0),
        (TEXTS[0], 0.5),
        (TEXTS[1], 2.0),
        (
            '<speak>A <break time="300ms"/> cat. <prosody rate="150%">A</prosody> dog.'
            '<break time="1s"/></speak>',
            0.8,
        ),
    ],
)
def test_words_pauses_and_pace_are_those_of_the_stream(
    speaker: Synthesizer, voice: Prompt, engine: Engine, text: str, speed: float
) -> None:
    delivery = Delivery(speed=speed)
    listener = Listener(speaker, voice, 4)
    listener.ask(engine, text, delivery)
    chunks = list(speaker.stream_chunks(text, voice, 4, delivery=delivery))
    events = [one for one in listener.events() if isinstance(one, Samples)]
    samples = np.concatenate([one.values for one in events])
    alone = np.concatenate([chunk.samples for chunk in chunks])
    assert samples.shape == alone.shape
    np.testing.assert_allclose(samples, alone, atol=1e-3)
    words = [word for one in events for word in one.words]
    assert len(words) > 3
    assert words == [word for chunk in chunks for word in chunk.words]


def test_a_text_after_another_has_the_pause_that_stands_between_them(speaker: Synthesizer) -> None:
    def pause_s(before: str, text: str) -> float:
        (last,) = read_text(speaker.model, before)
        return read_text(speaker.model, text, before=last)[0].pause_s

    assert pause_s("A cat.", "A dog.") == 0.25
    assert pause_s("A cat,", "a dog.") == 0.15
    assert pause_s("A cat.", " \n\nA dog.") == 0.6
    assert pause_s("A cat.", '<speak><break time="2s"/>A dog.</speak>') == 2
    assert pause_s('<speak>A cat.<break time="2s"/></speak>', "A dog.") == 0


def test_a_sentence_alone_has_the_latents_of_the_stream_bit_for_bit(
    speaker: Synthesizer, voice: Prompt, engine: Engine
) -> None:
    listener = Listener(speaker, voice, 3)
    listener.ask(engine, TEXTS[2])
    samples = listener.samples()
    (alone,) = speaker.write_latents([TEXTS[2]], [voice], [sentence_seed(3, 0)])
    assert listener.speech.before is not None
    np.testing.assert_array_equal(listener.speech.before, alone.latents)
    np.testing.assert_allclose(samples, speaker.decode(alone.latents, voice), atol=1e-5)


def test_sentences_end_in_order(speaker: Synthesizer, voice: Prompt, engine: Engine) -> None:
    listener = Listener(speaker, voice, 0)
    listener.ask(engine, TEXTS[0])
    events = listener.events()
    assert [one.sentence for one in events if isinstance(one, SentenceEnded)] == [0, 1, 2]
    numbers = [one.sentence for one in events if isinstance(one, Samples | SentenceEnded)]
    assert numbers == sorted(numbers)
    assert events[-1] == Finished()


def test_sentences_may_come_later(speaker: Synthesizer, voice: Prompt, engine: Engine) -> None:
    listener = Listener(speaker, voice, 5)
    engine.submit(listener.speech)
    first, *rest = read_text(speaker.model, TEXTS[0])
    engine.extend(listener.speech, [first], is_last=False)
    listener.wait_for_audio()
    wait_until(lambda: engine.num_rows == 0)
    engine.extend(listener.speech, rest, is_last=False)
    engine.extend(listener.speech, [], is_last=True)
    assert listener.events()[-1] == Finished()
    alone = sum(map(len, speaker.stream(TEXTS[0], voice, 5)))
    assert round(listener.speech.audio_s * speaker.sample_rate) == alone


def test_a_cancelled_speech_leaves_nothing(
    speaker: Synthesizer, voice: Prompt, engine: Engine
) -> None:
    kept, writing, waiting = (Listener(speaker, voice, seed) for seed in range(3))
    others = [Listener(speaker, voice, seed) for seed in (3, 4)]
    for listener in (kept, writing, *others, waiting):
        listener.ask(engine, TEXTS[2])
    writing.wait_for_audio()
    for listener in (writing, waiting, *others):
        engine.cancel(listener.speech)
        engine.cancel(listener.speech)  # a second time is no error
    alone = np.concatenate(list(speaker.stream(TEXTS[2], voice, 0)))
    np.testing.assert_allclose(kept.samples(), alone, atol=1e-3)
    wait_until(lambda: engine.num_speeches == engine.num_rows == 0)


def test_a_full_queue_is_refused_with_a_time(
    speaker: Synthesizer, voice: Prompt, engine: Engine
) -> None:
    listeners = [Listener(speaker, voice, seed) for seed in range(8)]
    for listener in listeners:
        engine.submit(listener.speech)  # without a sentence none begins
    with pytest.raises(BusyError, match="8 requests wait already") as refused:
        engine.submit(Listener(speaker, voice, 9).speech)
    assert refused.value.retry_after_s >= 1
    engine.cancel(listeners[0].speech)
    engine.submit(Listener(speaker, voice, 9).speech)


def test_a_row_that_cannot_be_written_fails_alone(
    speaker: Synthesizer, voice: Prompt, engine: Engine
) -> None:
    long = Prompt(np.tile(voice.latents, (200, 1)), None, voice.codec_hash)
    bad, good = Listener(speaker, long, 0), Listener(speaker, voice, 1)
    model = dataclasses.replace(speaker.model, max_prompt_s=None)
    engine.model = model
    for writer in engine._writers:
        writer._model = model
    for listener in (bad, good):
        listener.ask(engine, TEXTS[1])
    (failed,) = bad.events()
    assert isinstance(failed, Failed)
    assert "the session holds 2048" in failed.message
    assert len(good.samples())


def test_clients_share_rows_and_listeners_without_audio_come_first(voice: Prompt) -> None:
    waiting = FairQueue()
    speeches = {}
    for number, (name, client) in enumerate([("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b")]):
        speeches[name] = Speech(voice, 0, client, print)
        speeches[name].arrived_s = float(number)
        waiting.add(speeches[name])
    speeches["a1"].first_audio_s, speeches["a1"].audio_s = 1.0, 10.0  # has audio until 11 s
    taken = waiting.take(4, Counter(a=1))
    assert taken == [speeches[name] for name in ("b1", "a2", "a3", "a1")]
    assert len(waiting) == 0


def test_quality_falls_with_load_where_it_may(speaker: Synthesizer) -> None:
    own = speaker.model.sampling
    (only,) = qualities(own, elastic=False)
    assert only.sampling == own
    found = qualities(own, elastic=True)
    assert [one.name for one in found] == ["full", "unguided", "fewer-steps"]
    assert not found[1].sampling.guided
    assert found[2].sampling.num_steps == own.num_steps - 1
    assert [choose(found, load) for load in (0, 0.5, 1.0, 2.0)] == [0, 0, 1, 2]


def test_under_load_speech_is_written_in_a_cheaper_quality(
    speaker: Synthesizer, voice: Prompt
) -> None:
    engine = Engine(speaker.model, EngineConfig(max_rows=2, elastic=True), Metrics())
    listeners = [Listener(speaker, voice, seed) for seed in range(6)]
    for listener in listeners:
        listener.ask(engine, TEXTS[1])
    for listener in listeners:
        assert len(listener.samples())
    assert listeners[-1].speech.quality != "full"
    engine.close()
