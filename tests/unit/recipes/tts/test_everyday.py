"""The check of everyday writing: its table, and what it speaks and writes."""

import sys
from pathlib import Path

import pytest
import torch

from latentspeech.core.errors import DataError
from latentspeech.core.eval.report import EvalReport
from latentspeech.tts.synthesizer import Audio
from recipes.tts.everyday import check
from tests.tiny_scorers import Peak


class Speaker:
    """Speaks every text as a tone whose length tells the text's, and remembers the calls."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, int]] = []

    def voice(self, name: str) -> str:
        return name

    def synthesize(self, text: str, prompt: str, seed: int) -> Audio:
        self.heard.append((text, prompt, seed))
        return Audio(0.1 * torch.sin(torch.arange(100 * len(text)) / 10), 24_000)


def test_the_table_has_forty_sentences_that_differ() -> None:
    assert len({written for written, _ in check.read_sentences()}) == 40


def test_a_line_without_two_columns_is_named(tmp_path: Path) -> None:
    table = tmp_path / "table.tsv"
    table.write_text("# a comment\nTwo.\tTwo.\nOnly one.\n")
    with pytest.raises(DataError, match=r"table.tsv, line 3: found 1 columns"):
        check.read_sentences(table)


def test_each_voice_speaks_what_is_written_and_is_held_against_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = Speaker()
    monkeypatch.setattr(check, "load", lambda model: speaker)
    monkeypatch.setattr(check, "make_scorers", lambda names: [Peak()])
    table, out = tmp_path / "table.tsv", tmp_path / "out"
    table.write_text("It is 5.\tIt is five.\nNo. 7\tNumber seven.\n")
    options = ["--sentences", str(table), "--voices", "a", "b", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["check.py", *options])
    check.main()
    expected = [(text, voice, i) for voice in "ab" for i, text in enumerate(("It is 5.", "No. 7"))]
    assert speaker.heard == expected
    report = EvalReport.read(out / "scores.json")
    assert [(item.id, item.group, item.text) for item in report.items] == [
        ("a/000", "a", "It is five."),
        ("a/001", "a", "Number seven."),
        ("b/000", "b", "It is five."),
        ("b/001", "b", "Number seven."),
    ]
