"""The files of words' times, read back."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from latentspeech.core.errors import InputError
from latentspeech.tts.words.word_clock import WordTime
from latentspeech.tts.words.word_files import check_word_file, write_words

WORDS = [
    WordTime("It's", 0.1, 0.4),
    WordTime('"a', 0.4, 0.4),
    WordTime('<b>"', 0.5, 3599.9996),
    WordTime("&", 3600.5, 3601.0),
]


def written(path: Path, words: list[WordTime], duration_s: float = 3602.0) -> str:
    check_word_file(path)
    write_words(path, words, duration_s)
    return path.read_text(encoding="utf-8")


def test_json_has_each_word(tmp_path: Path) -> None:
    found = json.loads(written(tmp_path / "words.json", WORDS))
    assert found["duration_s"] == 3602.0
    assert found["words"][0] == {"text": "It's", "start_s": 0.1, "end_s": 0.4}
    assert [word["text"] for word in found["words"]] == [word.text for word in WORDS]


def test_subtitles_have_their_times(tmp_path: Path) -> None:
    srt = written(tmp_path / "words.srt", [WORDS[0], WORDS[3]])
    assert srt == (
        "1\n00:00:00,100 --> 00:00:00,400\nIt's\n\n2\n01:00:00,500 --> 01:00:01,000\n&\n"
    )
    vtt = written(tmp_path / "words.VTT", [*WORDS[:2], WordTime("<b>", 0.5, 0.9)])
    assert vtt == (
        "WEBVTT\n\n00:00:00.100 --> 00:00:00.900\nIt's <00:00:00.400>\"a <00:00:00.500>&lt;b&gt;\n"
    )


def test_subtitles_are_short_and_end_with_sentences(tmp_path: Path) -> None:
    texts = ("This is a sentence of eight words here. " * 6 + "word " * 60 + "end.").split()
    words = [WordTime(text, 0.3 * k, 0.3 * k + 0.25) for k, text in enumerate(texts)]
    blocks = written(tmp_path / "words.srt", words, 60.0).strip().split("\n\n")
    lines = [block.split("\n")[2] for block in blocks]
    assert " ".join(lines).split() == texts
    assert max(map(len, lines)) <= 84
    assert all(line.count(".") <= 1 for line in lines)
    assert lines[:6] == ["This is a sentence of eight words here."] * 6


def test_a_text_grid_covers_the_audio(tmp_path: Path) -> None:
    grid = written(tmp_path / "words.TextGrid", WORDS)
    numbers = [float(value) for value in re.findall(r"^ {12}xm\w+ = (\S+)", grid, re.M)]
    intervals = list(zip(numbers[::2], numbers[1::2], strict=True))
    assert intervals[0] == (0.0, 0.1)
    assert intervals[-1][1] == 3602.0
    assert all(one[1] == two[0] for one, two in pairwise(intervals))
    assert all(start < stop for start, stop in intervals)
    assert 'text = "<b>"""' in grid
    assert f"intervals: size = {len(intervals)}" in grid


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown suffix '.txt'; use one of .json, .srt"):
        check_word_file(tmp_path / "words.txt")
