"""Measures how far the times of words are from those that forced alignment finds in the audio.

    python -m recipes.tts.delivery.word_times --out exp/word_times

The sentences of everyday writing are spoken in several voices. The aligner (latentspeech/align)
looks for the symbols of each text in the samples; both say when each word begins and ends. `--out`
gets word_times.json and word_times.md. The aligner has errors of its own
(egs/mini/local/aligner/measure.py), which are part of the figures.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from latentspeech.align.symbol_aligner import SymbolAligner, load_aligner
from latentspeech.core.command import run_recipe
from latentspeech.core.storage.files import atomic_path, write_json
from latentspeech.text.normalizer import NormalizedText
from latentspeech.text.reading import PLAIN, read_text
from latentspeech.tts.models import load
from latentspeech.tts.synthesizer import MAX_SENTENCE_CHARACTERS, Synthesizer
from latentspeech.tts.words.symbol_words import PieceSymbols, piece_symbols
from latentspeech.tts.words.word_clock import WordTime
from recipes.lib.results_file import provenance_lines, this_command
from recipes.tts.everyday.check import SENTENCES, read_sentences

Errors = dict[str, list[float]]  # s: own time minus the aligner's


def aligned_words(
    aligner: SymbolAligner, samples: torch.Tensor, piece: PieceSymbols
) -> list[tuple[float, float]]:
    """Returns start and end in s of each word in samples (T,), by forced alignment."""
    assert piece.ids is not None
    starts_s, ends_s, _ = aligner.symbol_times(samples, piece.ids)
    return [(starts_s[word.start], ends_s[word.stop - 1]) for word in piece.words]


def add_errors(
    errors: Errors, own: Sequence[WordTime], found: Sequence[tuple[float, float]]
) -> None:
    """Adds the errors of one sentence, those at its ends apart from the others."""
    for place, (word, (start_s, end_s)) in enumerate(zip(own, found, strict=True)):
        of_start = "start of the first word" if place == 0 else "start of another word"
        of_end = "end of the last word" if place == len(own) - 1 else "end of another word"
        errors.setdefault(of_start, []).append(word.start_s - start_s)
        errors.setdefault(of_end, []).append(word.end_s - end_s)


def measure(
    synthesizer: Synthesizer, sentences: Sequence[str], voices: Sequence[str]
) -> tuple[Errors, int]:
    """Speaks each sentence in each voice; returns the errors and the number of sentences.

    A sentence that is spoken in several pieces is left out, since the aligner takes one text.
    """
    aligner, errors, count = load_aligner(), Errors(), 0
    tokenizer = synthesizer.model.tokenizer
    for number, sentence in enumerate(sentences):
        reading = read_text(sentence, PLAIN, MAX_SENTENCE_CHARACTERS, _all_words)
        if len(reading.pieces) > 1:
            continue
        piece = piece_symbols(tokenizer, reading, reading.pieces[0], 1.0, timed=True)
        for voice in voices:
            audio = synthesizer.synthesize(sentence, voice, seed=number)
            found = aligned_words(aligner, torch.from_numpy(audio.samples), piece)
            add_errors(errors, audio.words, found)
            count += 1
    return errors, count


def summary(errors: Sequence[float]) -> dict[str, float]:
    """Returns the number of errors, their bias, and percentiles of their size, ms."""
    sizes_ms = 1000 * np.abs(errors)
    return {
        "count": len(errors),
        "bias_ms": round(1000 * float(np.median(errors)), 1),
        "median_ms": round(float(np.median(sizes_ms)), 1),
        "p95_ms": round(float(np.percentile(sizes_ms, 95)), 1),
    }


def main() -> None:
    """Speaks, aligns, and writes the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="model directory; default: the built-in one")
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    parser.add_argument("--voices", nargs="+", default=["heart", "emma", "george"])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    sentences = [written for written, _ in read_sentences(arguments.sentences)]
    errors, count = measure(load(arguments.model), sentences, arguments.voices)
    rows = {name: summary(values) for name, values in sorted(errors.items())}
    rows["all"] = summary([error for values in errors.values() for error in values])
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out / "word_times.json", {"num_sentences": count, "errors": rows})
    with atomic_path(arguments.out / "word_times.md") as temporary:
        temporary.write_text(_table(rows, count), encoding="utf-8")


def _table(rows: dict[str, dict[str, float]], count: int) -> str:
    lines = [
        "| time | words | bias, ms | median, ms | 95th percentile, ms |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {name} | {' | '.join(map(str, row.values()))} |" for name, row in rows.items()]
    command = this_command("recipes.tts.delivery.word_times")
    about = provenance_lines(command, [f"{count} spoken sentences"])
    return "\n".join([*lines, "", *about]) + "\n"


def _all_words(text: NormalizedText) -> NormalizedText:
    return text


if __name__ == "__main__":
    run_recipe(main)
