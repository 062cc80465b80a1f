"""espeak-ng as a program: punctuation in place, one process a batch, clear failures."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from latentspeech.core.errors import InputError
from latentspeech.text.normalizer import normalize
from latentspeech.text.tokenizers import (
    UNK_ID,
    PhonemeTokenizer,
    PhonemeTokenizerConfig,
)
from latentspeech.text.tokenizers.phoneme import SYMBOLS

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="needs `apt-get install espeak-ng`"
)


def tokenizer(voice: Any = "en-us") -> PhonemeTokenizer:
    return PhonemeTokenizer(PhonemeTokenizerConfig(voice=voice))


@needs_espeak
def test_phonemes_keep_punctuation_word_spaces_and_stress() -> None:
    (ipa,) = tokenizer().phonemes(["Hello, world! Yes; fine: no - why? Well..."])
    assert ipa == (
        "h\u0259l\u02c8o\u028a, w\u02c8\u025c\u02d0ld! j\u02c8\u025bs; f\u02c8a\u026an: "
        "n\u02c8o\u028a, w\u02c8a\u026a? w\u02c8\u025bl..."
    )


PUNCTUATED = [
    "One, two; three: four. Five? Six! Seven... eight - nine.",
    '"Hi," he said. "Go!"',
    "well-known twenty-one o'clock",
    "' a 'quoted' word '",
    "Mr. Smith paid $3.50 on 5/3/2024 at 3:45 pm.",
    "word " * 300,
    "a" * 1500 + ", then",
    "\u043f\u0440\u0438\u0432\u0435\u0442, \u4e2d\u6587. ok",
    "a, b, c, d, e",
]


@needs_espeak
@pytest.mark.parametrize("text", PUNCTUATED)
def test_marks_come_out_as_they_went_in(text: str) -> None:
    (ipa,) = tokenizer().phonemes([text])
    marks = [c for c in normalize(text) if c in ".,?!;:"]
    assert [c for c in ipa if c in ".,?!;:"] == marks
    assert ipa == " ".join(ipa.split())


@needs_espeak
def test_a_batch_gives_what_single_texts_give_in_one_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = [tokenizer().encode(text) for text in PUNCTUATED]
    started: list[Any] = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: (started.append(a), run(*a, **k))[1])
    together = tokenizer()
    assert together.encode_batch(PUNCTUATED) == alone
    assert len(started) == 1
    assert together.encode_batch(PUNCTUATED[::-1]) == alone[::-1]
    assert len(started) == 1, "known clauses need no process"


@needs_espeak
@pytest.mark.parametrize("voice", ["en-us", "en-gb"])
def test_english_needs_no_unknown_symbol(voice: str) -> None:
    phonemes = tokenizer(voice)
    text = (
        "The quick brown fox jumps over a lazy dog; thirteen judges measure this vision, which "
        "chose water, button, bottle, rhythm, genre, loch, uh-huh, better, boy, cow, here, hair."
    )
    ids = phonemes.encode(text)
    assert UNK_ID not in ids
    assert not phonemes.table.unknown
    assert phonemes.decode(ids) == phonemes.phonemes([text])[0]


@needs_espeak
def test_spelled_letters_are_not_articles() -> None:
    (ipa,) = tokenizer().phonemes(["the USA at 3 am"])
    assert "\u0250" not in ipa
    assert ipa.count("\u02c8e\u026a") == 2


@needs_espeak
def test_unknown_symbols_are_counted() -> None:
    small = PhonemeTokenizer(PhonemeTokenizerConfig(), symbols=list("h\u0259l"))
    ids = small.encode("hello")
    assert ids[:3] == [2, 3, 4]
    assert ids[3:] == [UNK_ID] * 3
    assert sum(small.table.unknown.values()) == 3


def test_the_inventory_is_fixed() -> None:
    assert len(set(SYMBOLS)) == len(SYMBOLS)
    assert tokenizer().vocab_size == len(SYMBOLS) + 2 == 86


def test_a_missing_program_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get install espeak-ng"):
        tokenizer().encode("hello")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("cat >/dev/null; echo no such voice >&2; exit 3", "exit code 3: no such voice"),
        (
            "cat >/dev/null; echo one; echo; echo two; echo; echo three; echo; echo four",
            "no usable answer",
        ),
    ],
)
def test_a_failing_program_is_an_input_error(
    script: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(InputError, match=message):
        tokenizer().encode_batch(["hello, you", "there"])
