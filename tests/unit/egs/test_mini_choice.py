"""What was heard in the mini corpus, and what text-to-speech therefore does not learn from."""

import json

import pytest
import torch

import latentspeech
from latentspeech.core.errors import DataError
from latentspeech.data.manifest import CorpusUtterance, read_manifest
from latentspeech.eval.metrics.text_normalisers import WhisperNormaliser
from latentspeech.eval.models.recognisers.recogniser import SAMPLE_RATE, Recogniser


@pytest.mark.parametrize(
    ("texts", "heard", "expected"),
    [
        (["a b c", "d e"], "a b c d e", [("a b c", 0), ("d e", 0)]),
        (["a b c", "d e"], "a x c y d e f", [("a x c y", 2), ("d e f", 1)]),
        (["a b", "c d"], "c d", [("", 2), ("c d", 0)]),
        (["a b", "c d"], "", [("", 2), ("", 2)]),
        (["a"], "x y", [("x y", 2)]),
    ],
)
def test_each_text_gets_its_part_of_what_was_heard(local, texts, heard, expected):
    found = local("choose.listen").compare(texts, heard)
    assert [(one.text, one.errors) for one in found] == expected
    assert [one.words for one in found] == [len(text.split()) for text in texts]


def utterance(number: int, seconds: float, text: str = "Well.") -> CorpusUtterance:
    return CorpusUtterance(f"u{number}", f"u{number}.wav", "ann", text, "kokoro", "any", seconds)


def test_windows_hold_neighbours_and_no_more_than_fits(local):
    items = [utterance(number, seconds) for number, seconds in enumerate([10, 10, 7, 40, 3])]
    windows = list(local("choose.listen").windows(items))
    assert [[item.id for item in window] for window in windows] == [
        ["u0", "u1"], ["u2"], ["u3"], ["u4"],
    ]  # fmt: skip


class Scripted(Recogniser):
    """Hears lines in turn."""

    name, metric = "scripted", "WER-S"

    def __init__(self, *lines: str) -> None:
        self.lines, self.seconds = list(lines), []

    def prepare(self) -> None: ...

    def describe(self) -> dict[str, str]:
        return {}

    def _recognise(self, audio: torch.Tensor) -> str:
        self.seconds.append(audio.numel() / SAMPLE_RATE)
        return self.lines.pop(0)


def test_what_went_badly_in_a_window_is_heard_again_alone(local, tmp_path):
    listen = local("choose.listen")
    texts = ["The tide comes in.", "He left at two."]
    with local("corpus.writer").CorpusWriter(tmp_path) as writer:
        tone = 0.3 * torch.sin(0.2 * torch.arange(48000))
        for number, text in enumerate(texts):
            row = {"id": f"u{number}", "speaker": "ann", "text": text, "source": "kokoro"}
            assert writer.add(tone, 24000, {**row, "licence": "any"})
    items = read_manifest(tmp_path)
    recogniser = Scripted("the tide comes in you left you", "he left at 2")
    normalise = WhisperNormaliser()
    found = listen.listen(items, tmp_path, recogniser, normalise)
    assert [(heard.errors, heard.words) for heard in found] == [(0, 4), (0, 4)]
    assert recogniser.seconds == [pytest.approx(5.0, abs=0.1), pytest.approx(2.0, abs=0.1)]


def test_an_unfinished_line_is_dropped_and_the_others_stay(local, tmp_path):
    listen = local("choose.listen")
    good = json.dumps({"id": "u0", "text": "a b", "errors": 1, "words": 2}) + "\n"
    (tmp_path / "heard.jsonl").write_text(good + '{"id": "u1", "te')
    torn = (tmp_path / "heard.jsonl").read_text()
    assert listen.read_heard(tmp_path) == {"u0": listen.Heard("a b", 1, 2)}
    assert (tmp_path / "heard.jsonl").read_text() == torn  # another process may be writing it
    listen.drop_unfinished(tmp_path / "heard.jsonl")
    assert (tmp_path / "heard.jsonl").read_text() == good


def test_misread_utterances_and_copies_too_alike_are_left_out(local, tmp_path):
    choice = local("choose.tts_utterances")
    with pytest.raises(DataError, match=r"choose\.listen"):
        choice.misread_utterances(tmp_path, 0.5)
    with pytest.raises(DataError, match=r"choose\.compare_voices"):
        choice.copies_too_alike(tmp_path, 0.85)
    rows = [{"id": f"u{n}", "text": "", "errors": n, "words": 4} for n in range(5)]
    (tmp_path / "heard.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert choice.misread_utterances(tmp_path, 0.5) == {"u3", "u4"}
    assert choice.misread_utterances(tmp_path, None) == set()
    voices = {
        "ann": {"cosine": 0.9},
        "ann_up": {"cosine": 0.9, "original": "ann", "cosine_to_original": 0.9},
        "ann_down": {"cosine": 0.9, "original": "ann", "cosine_to_original": 0.7},
    }
    (tmp_path / "voices.json").write_text(json.dumps(voices))
    assert choice.copies_too_alike(tmp_path, 0.85) == {"ann_up"}


@pytest.mark.slow
def test_a_copy_of_a_voice_is_nearer_to_it_than_other_voices(local, tmp_path, monkeypatch):
    """The voices that ship, and one of them a little slower."""
    speaker = latentspeech.load()
    with local("corpus.writer").CorpusWriter(tmp_path) as writer:
        for name, voice in (("ann", "heart"), ("ann_up", "heart"), ("bob", "george")):
            audio = speaker.synthesize("The tide comes in at six.", speaker.voice(voice))
            rate = 23500 if name == "ann_up" else 24000
            row = {"id": name, "speaker": name, "text": "Well.", "source": "world"}
            assert writer.add(torch.from_numpy(audio.samples), rate, {**row, "licence": "any"})
    monkeypatch.setattr("sys.argv", ["compare_voices.py", "--corpus", str(tmp_path)])
    local("choose.compare_voices").main()
    voices = json.loads((tmp_path / "voices.json").read_text())
    assert voices["ann_up"]["nearest"] == voices["ann_up"]["original"] == "ann"
    assert voices["ann_up"]["cosine_to_original"] > voices["bob"]["cosine"]
    assert local("choose.tts_utterances").copies_too_alike(tmp_path, 0.8) == {"ann_up"}
