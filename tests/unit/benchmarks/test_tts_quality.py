"""Voices compared by ear: every voice says the same sentences, and each gets its scores."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks import tts_quality
from benchmarks.lib import fixed_voices


def test_every_voice_says_the_same_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, list[str]] = {}

    def speak_ours(texts: Sequence[str], voice: str, folder: Path) -> None:
        said[voice] = list(texts)

    def open_voice(name: str, place: Path | None, threads: int) -> fixed_voices.FixedVoice:
        def speak(text: str) -> Iterator[fixed_voices.Samples]:
            said.setdefault(f"{name} in {place}", []).append(text)
            yield np.zeros(100, np.float32)
            yield np.full(50, 0.5, np.float32)

        return fixed_voices.FixedVoice(speak, 8000, 1.0)

    def score(texts: Sequence[str], folder: Path) -> dict[str, int]:
        return {"files": len(list(folder.iterdir()))}

    monkeypatch.setattr(tts_quality, "speak_ours", speak_ours)
    monkeypatch.setattr(tts_quality, "open_voice", open_voice)
    monkeypatch.setattr(tts_quality, "score", score)
    options = ["--out", str(tmp_path), "--voices", "heart", "--count", "3"]
    options += ["--fixed", "hibari=/there", "piper"]
    monkeypatch.setattr(sys, "argv", ["tts_quality", *options])
    tts_quality.main()
    rows = json.loads(capsys.readouterr().out)["rows"]
    names = [(row["what"], row["files"]) for row in rows]
    assert names == [("latentspeech, heart", 0), ("hibari", 3), ("piper", 3)]
    assert said["heart"] == said["hibari in /there"] == said["piper in None"]
    assert not any(sign.isdigit() for text in said["heart"] for sign in text)
    samples, rate = soundfile.read(tmp_path / "hibari" / "002.wav")
    assert (len(samples), rate) == (150, 8000)


def test_a_voice_that_is_not_known_is_told() -> None:
    with pytest.raises(ValueError, match="known are hibari, kokoro, piper"):
        fixed_voices.open_voice("nobody", None, 1)
