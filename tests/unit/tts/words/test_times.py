"""Symbols of words, the clock that follows them, and the onset of the first one."""

import numpy as np
import pytest

from latentspeech.text.normalizer import normalize
from latentspeech.text.reading import PLAIN, read_text
from latentspeech.text.tokenizers import MisakiTokenizer
from latentspeech.tts.words.onset import Onset
from latentspeech.tts.words.symbol_words import PieceSymbols, SymbolWord, piece_symbols
from latentspeech.tts.words.word_clock import WordTime, times_of_words

RATE = 24_000


def symbols(text: str) -> PieceSymbols:
    reading = read_text(text, PLAIN, 200, lambda normal: normal)
    (piece,) = reading.pieces
    return piece_symbols(MisakiTokenizer(), reading, piece, 1.0, timed=True)


def test_each_word_has_its_own_symbols() -> None:
    found = symbols('The "U.S. Navy", aged 12 - it\'s well-known...')
    assert found.ids is not None
    spoken = MisakiTokenizer().decode(found.ids)
    words = [(word.text, spoken[word.start : word.stop]) for word in found.words]
    assert [text for text, _ in words] == [
        "The", '"U.S.', 'Navy",', "aged", "12 -", "it's", "well-known..."
    ]  # fmt: skip
    assert words[1][1] == "j\u02c8u \u02c8\u025bs"
    assert words[4][1] == "tw\u02c8\u025blv"
    assert not any(symbol in said for _, said in words for symbol in ',."-')


def test_a_pronunciation_takes_the_place_of_a_words_symbols() -> None:
    plain = symbols("A tomato, then.")
    ipa = "t\u0259\u02c8m\u0251\u02d0to\u028a"
    given = symbols(f'<speak>A <phoneme ph="{ipa}">tomato</phoneme>, then.</speak>')
    assert plain.ids is not None
    assert given.ids is not None
    tokenizer = MisakiTokenizer()
    before, after = tokenizer.decode(plain.ids), tokenizer.decode(given.ids)
    assert before.replace("t\u0259m\u02c8ATO", "t\u0259m\u02c8\u0251tO") == after


def test_a_clock_reads_symbols_among_latents() -> None:
    words = (SymbolWord("ab", 0, 2), SymbolWord("c", 3, 4, rate=2.0))
    piece = PieceSymbols(normalize("ab c"), (5, 6, 7, 8), words)
    # a, b, space, c and the end, which no latent follows, at 10 latents a second
    times, rates = times_of_words(piece, [0, 2, 4, 6, 10], 10, 10.0)
    assert rates == [1.0] * 6 + [2.0] * 4
    assert times == [
        WordTime("ab", 0.0, pytest.approx(0.45)),
        WordTime("c", pytest.approx(0.625), pytest.approx(0.8)),
    ]
    # A row that was cut has no end.
    times, _ = times_of_words(piece, [0, 2, 4, 6], 8, 10.0)
    assert times[1].end_s == pytest.approx(0.7)


@pytest.mark.parametrize("size", [100, 1600, 100_000])
def test_the_first_word_begins_with_its_sound(size: int) -> None:
    samples = np.zeros(RATE, dtype=np.float32)
    samples[RATE // 5 :] = 0.1
    onset = Onset(RATE)
    words = [WordTime("a", 0.0, 0.5), WordTime("b", 0.6, 0.9)]
    given = list(onset.step(samples[:0], words))
    for start in range(0, len(samples), size):
        given += onset.step(samples[start : start + size], [])
    given += onset.step(samples[:0], [], last=True)
    assert given == [WordTime("a", pytest.approx(0.2, abs=0.011), 0.5), words[1]]


def test_silence_leaves_the_first_word_where_it_is() -> None:
    onset = Onset(RATE)
    word = WordTime("a", 0.0, 0.5)
    assert onset.step(np.zeros(RATE // 4, dtype=np.float32), [word]) == ()
    assert onset.step(np.zeros(RATE, dtype=np.float32), []) == (word,)
