"""How long a text should take, which sentences are spoken, and what is counted of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.data.utterances import Utterance
from latentspeech.eval.protocols.cut_utterances import EvaluationItem
from latentspeech.tts.length_guard import STREAMED, LengthGuard
from latentspeech.tts.synthesizer import Synthesizer
from recipes.tts.expected_durations import DurationRule, fit_duration_rule, num_characters
from recipes.tts.stop_test.counts import (
    Judge,
    Row,
    SpokenSentence,
    as_spoken,
    counts,
    examples,
    table,
    wilson_interval,
)
from recipes.tts.stop_test.stops import (
    HeldOutSentence,
    Voices,
    choose_sentences,
    parse_models,
    speak_all,
    with_accepted_prompts,
    write_summary,
)
from recipes.tts.test_set.speaking import Speaking
from tests.tiny_models import SAMPLING, make_model_directory, voice_like

WORDS = "one two three four five six seven eight nine ten"


def recording(number: int, duration_s: float, voice: str = "a", text: str = "Hello.") -> Utterance:
    name = f"{voice}/{number}"
    return Utterance(name, Path(f"{name}.wav"), 0.0, duration_s, True, voice, text)


def spoken_at(rate: float, number: int, voice: str) -> Utterance:
    """A recording that keeps to 0.5 s and 0.06 s a letter, times `rate`."""
    text = WORDS[: 6 + 2 * number]
    return recording(number, rate * (0.5 + 0.06 * num_characters(text)), voice, text)


def test_the_rule_is_found_through_odd_recordings() -> None:
    plain = [spoken_at(1.0, number, "a") for number in range(20)]
    slow = [spoken_at(1.5, number, "b") for number in range(6)]
    odd = [recording(100, 9.0, "c", "Short."), recording(101, 0.5, "d", WORDS)]
    rule = fit_duration_rule([*plain, *slow, *odd])
    assert rule.pause_s == pytest.approx(0.5, abs=0.02)
    assert rule.s_per_character == pytest.approx(0.06, abs=0.002)
    assert rule.rate_of_voice == pytest.approx({"a": 1.0, "b": 1.5}, abs=0.03)
    # Voices with few recordings, and new ones, take the common rate.
    assert rule.seconds(WORDS, "c") == rule.seconds(WORDS, "new")
    assert rule.seconds("ab, c-d!", "new") == pytest.approx(0.5 + 4 * 0.06, abs=0.02)


def test_recordings_that_tell_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="expected at least 10"):
        fit_duration_rule([spoken_at(1.0, number, "a") for number in range(9)])
    shrinking = [recording(n, 5.0 - 0.1 * n, text=WORDS[: 6 + 2 * n]) for n in range(12)]
    with pytest.raises(DataError, match="longer texts to take longer"):
        fit_duration_rule(shrinking)


def item(number: int, voice: str, text: str) -> EvaluationItem:
    return EvaluationItem(
        recording(number, 2.0, voice, text), recording(number + 50, 2.0, voice, "Prompt.")
    )


def test_sentences_are_untaught_and_each_once_before_any_again() -> None:
    items = [
        item(1, "a", "First one. And a second!"),
        item(2, "b", "Taught before."),
        item(3, "c", "first ONE?"),
        item(4, "d", "Third."),
    ]
    chosen = choose_sentences(items, 5, ["Nothing here. Taught, BEFORE!"])
    assert [(one.id, one.text, one.prompt.speaker) for one in chosen] == [
        ("a/1#0", "First one.", "a"),
        ("a/1#1", "And a second!", "a"),
        ("d/4#0", "Third.", "d"),
        # Then again, each in the voice of the next.
        ("a/1#0@1", "First one.", "a"),
        ("a/1#1@1", "And a second!", "d"),
    ]
    assert choose_sentences(items, 2, ["Taught before."]) == chosen[:2]
    with pytest.raises(DataError, match="in the training cuts"):
        choose_sentences(items[1:2], 5, ["Taught before."])


def test_a_prompt_that_is_no_speech_is_left_out(tmp_path: Path) -> None:
    sounds = {"voice": voice_like(1.5), "hiss": 0.1 * torch.randn(36000)}
    items = []
    for name, sound in sounds.items():
        path = tmp_path / f"{name}.wav"
        write_audio(path, sound, 24_000)
        prompt = Utterance(name, path, 0.0, 1.5, True, name, "It says this.")
        items.append(EvaluationItem(recording(1, 2.0), prompt))
    assert with_accepted_prompts(items) == items[:1]


JUDGE = Judge(DurationRule(0.5, 0.1, {"slow": 2.0}), too_long=2.0, too_short=0.6)


def sentence(name: str, seconds: float, cut: bool = False, voice: str = "a") -> SpokenSentence:
    return SpokenSentence(name, "a text of 15 chars", voice, "p", seconds, cut)


def test_what_is_wrong_with_a_sentence() -> None:
    assert JUDGE.rule.seconds("a text of 15 chars", "a") == pytest.approx(1.9)
    assert JUDGE.faults(sentence("x", 1.9)) == []
    assert JUDGE.faults(sentence("x", 1.9, cut=True)) == ["stop failure"]
    assert JUDGE.faults(sentence("x", 3.9, cut=True)) == ["stop failure", "runaway"]
    assert JUDGE.faults(sentence("x", 3.9, voice="slow")) == []
    assert JUDGE.faults(sentence("x", 1.1)) == ["early end"]


def test_counts_and_their_table(tmp_path: Path) -> None:
    spoken = [sentence("good", 1.9), sentence("early", 0.5), sentence("cut", 9.0, cut=True)]
    row = Row("small", "aligned", [*spoken, sentence("also", 2.0)])
    assert counts(JUDGE, row.sentences) == {
        "stop failure": 1,
        "runaway": 1,
        "early end": 1,
        "any": 2,
    }
    recordings = Row("recordings", None, as_spoken([recording(1, 1.0, text="One, two.")] * 3))
    lines = table(JUDGE, [row, recordings]).splitlines()
    assert lines[2].startswith("| model | layout | sentences | stop failures | runaways | early")
    assert lines[4].startswith("| small | aligned | 4 | 1: 25.0% (4.6 to 69.9) | 1: 25.0%")
    assert lines[5].startswith("| recordings | - | 3 | - | 0: 0.0% (0.0 to 56.1) |")
    # The worst first; the good ones are not named.
    named = examples(JUDGE, row).splitlines()
    assert [line.split()[1] for line in named if line.startswith("- ")] == ["cut", "early"]
    assert examples(JUDGE, recordings) == ""
    write_summary(tmp_path, JUDGE, [row, recordings], ["a note"])
    text = (tmp_path / "stops.md").read_text()
    for part in ("- a note", "| small |", "0.50 s + 0.1000 s a letter", "stop failure, runaway"):
        assert part in text
    values = json.loads((tmp_path / "stops.json").read_text())
    assert values["models"][0]["faults"] == {
        "early": ["early end"],
        "cut": ["stop failure", "runaway"],
    }
    assert values["models"][0]["counts"]["any"]["count"] == 2


class FakeSynthesizer:
    """Takes a frame a letter; is killed when it is to speak the sentence `deadly`."""

    sample_rate = 24_000

    def __init__(self, deadly: str = "") -> None:
        self.deadly = deadly
        self.batches: list[list[str]] = []
        self.model = SimpleNamespace(codec=SimpleNamespace(config=SimpleNamespace(frame_rate=10)))

    def prompt(self, path: Path, transcript: str | None, equalizer: bool) -> str:
        assert path.is_file()
        return f"{path.stem} {transcript}"

    def write_latents(
        self, texts: Sequence[str], prompts: Sequence[Any], *_: Any
    ) -> list[SimpleNamespace]:
        if self.deadly in texts:
            raise KeyboardInterrupt
        self.batches.append(list(texts))
        return [
            SimpleNamespace(latents=torch.zeros(len(t), 2), truncated="cut" in t) for t in texts
        ]


def held_out(folder: Path, texts: Sequence[str]) -> list[HeldOutSentence]:
    path = folder / "voice.wav"
    write_audio(path, voice_like(1.5), 24_000)
    prompt = Utterance("v", path, 0.0, 1.5, True, "v", "It says this.")
    return [HeldOutSentence(f"s{number}", text, prompt) for number, text in enumerate(texts)]


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    model = make_model_directory(tmp_path)
    sentences = held_out(tmp_path, ["three of these", "four is cut here", "one", "second"])
    path = tmp_path / "small.json"

    def run(synthesizer: FakeSynthesizer, speaking: Speaking) -> list[SpokenSentence]:
        voices = Voices(cast("Synthesizer", synthesizer), speaking, tmp_path)
        return speak_all(voices, sentences, 2, path, model)

    with pytest.raises(KeyboardInterrupt):
        run(FakeSynthesizer(deadly="three of these"), Speaking(SAMPLING))
    second = FakeSynthesizer()
    spoken = run(second, Speaking(SAMPLING))
    assert second.batches == [["three of these", "four is cut here"]]
    assert [(one.id, one.seconds, one.truncated) for one in spoken] == [
        ("s0", 1.4, False),
        ("s1", 1.6, True),
        ("s2", 0.3, False),
        ("s3", 0.6, False),
    ]
    third = FakeSynthesizer()
    assert run(third, Speaking(SAMPLING)) == spoken
    assert not third.batches
    with pytest.raises(DataError, match="another retries, seed"):
        run(third, Speaking(SAMPLING, seed=1, guard=LengthGuard(retries=5)))


@pytest.mark.parametrize("layout", ["sentence", "aligned"])
def test_lengths_do_not_depend_on_the_batch(tmp_path: Path, layout: Any) -> None:
    model = make_model_directory(tmp_path, layout)
    sentences = held_out(tmp_path, ["Hello there.", "Yes.", "This is a longer one."])
    synthesizer = Synthesizer.from_directory(model)
    found = [
        speak_all(
            Voices(synthesizer, Speaking(SAMPLING, guard=STREAMED), tmp_path),
            sentences,
            batch_size,
            tmp_path / f"{batch_size}.json",
            model,
        )
        for batch_size in (1, 3)
    ]
    assert found[0] == found[1]
    assert all(one.seconds > 0 for one in found[0])


def test_models_have_names_of_their_own() -> None:
    assert parse_models(["a=x/y", "b=z=1"]) == {"a": Path("x/y"), "b": Path("z=1")}
    for texts in (["x/y"], ["a=x", "a=y"], ["a/b=x"], ["stops=x"]):
        with pytest.raises(ConfigError, match="NAME=DIR"):
            parse_models(texts)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 500, 0.0, 0.007624),
        (1, 10, 0.017876, 0.404150),
        (5, 10, 0.236593, 0.763407),
        (10, 10, 0.722467, 1.0),
    ],
)
def test_shares_have_wilsons_interval(successes, trials, low, high) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-6)
