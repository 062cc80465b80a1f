"""Measures how far the aligner is from known times, on speakers that it was not trained on.

    python -m egs.mini.local.aligner.measure --corpus egs/mini/data/corpus

Prints JSON: seconds between the found and the true beginning of words and of symbols (but for the
first, which begins at zero), and how well texts fit, their own and that of another utterance.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from egs.mini.local.aligner.train import timed_utterances
from latentspeech.align.symbol_aligner import SHIPPED, load_aligner
from latentspeech.audio.io import load_audio
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.text.tokenizers import MisakiTokenizer


def summary(errors: list[float]) -> dict[str, float]:
    """Count, mean, bias and percentiles of differences in seconds."""
    differences = torch.tensor(errors)
    places = torch.tensor([0.5, 0.9, 0.99])
    median, p90, p99 = differences.abs().quantile(places).tolist()
    return {
        "count": len(errors),
        "mean_abs_s": round(float(differences.abs().mean()), 4),
        "bias_s": round(float(differences.mean()), 4),
        "median_abs_s": round(median, 4),
        "p90_abs_s": round(p90, 4),
        "p99_abs_s": round(p99, 4),
    }


def rounded(values: Tensor) -> list[float]:
    """The values with three digits."""
    return [round(value, 3) for value in values.tolist()]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with manifest.jsonl")
    parser.add_argument("--aligner", type=Path, default=SHIPPED, help="model directory")
    parser.add_argument("--max_items", type=int, default=0, help="utterances; 0 for all")
    arguments = parser.parse_args()
    aligner = load_aligner(arguments.aligner)
    tokenizer = MisakiTokenizer()
    rows = timed_utterances(arguments.corpus, test=True)[: arguments.max_items or None]
    words: list[float] = []
    symbols: list[float] = []
    fits: list[tuple[float, float]] = []
    for number, (item, ids) in enumerate(rows):
        audio = load_audio(arguments.corpus / item.audio, aligner.config.sample_rate)
        ends, fit = aligner.symbol_ends(audio, ids)
        differences = [found - true for found, true in zip(ends, item.symbol_ends_s, strict=True)]
        symbols += differences[:-1]
        words += [
            difference
            for token, difference in zip(ids[:-1], differences[:-1], strict=True)
            if tokenizer.decode([token]).isspace()
        ]
        try:
            fits.append((fit, aligner.symbol_ends(audio, rows[number - 1][1])[1]))
        except DataError:
            continue  # the other text is too long for this recording
    own, other = torch.tensor(fits).unbind(1)
    result = {
        "utterances": len(rows),
        "words": summary(words),
        "symbols": summary(symbols),
        "fit_own_text_p1_p50": rounded(own.quantile(torch.tensor([0.01, 0.5]))),
        "fit_other_text_p50_p99": rounded(other.quantile(torch.tensor([0.5, 0.99]))),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    run_recipe(main)
