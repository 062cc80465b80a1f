"""Finds which voices of a corpus a speaker encoder tells apart: not every made voice is a new one.

    python -m egs.mini.local.choose.compare_voices --corpus egs/mini/data/corpus

CORPUS/voices.json gets, for each speaker of text-to-speech, the seconds that were listened to, the
nearest other speaker, and the cosine of their GE2E embeddings (Resemblyzer). At this length two
recordings of one voice have cosines of .94 to .98, those of different people .37 to .80.
`prepare_cuts.py --max_likeness` leaves out copies (sources/copies/) too near their original.
"""

import argparse
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from egs.mini.local.sources.copies.contract import COPY_SUFFIXES
from egs.mini.local.sources.terms import SEVERAL_PEOPLE
from latentspeech.audio.io import load_audio
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import write_json
from latentspeech.data.manifest import CorpusUtterance, read_manifest
from latentspeech.eval.models.speakers.ge2e import Ge2e
from latentspeech.eval.models.speakers.speaker_model import SAMPLE_RATE

logger = logging.getLogger(__name__)

VOICES_NAME = "voices.json"
ALIKE = 0.8


def main() -> None:
    """Embeds every speaker once and compares all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with manifest.jsonl")
    parser.add_argument("--seconds", type=float, default=20.0, help="listened to of a speaker")
    options = parser.parse_args()
    spoken: dict[str, list[CorpusUtterance]] = defaultdict(list)
    for item in read_manifest(options.corpus):
        if item.text and not item.speaker.startswith(SEVERAL_PEOPLE):
            spoken[item.speaker].append(item)
    if len(spoken) < 2:
        raise DataError(f"{options.corpus} has {len(spoken)} speaker with texts; expected several")
    encoder = Ge2e()
    heard = {
        name: first_seconds(items, options.corpus, options.seconds)
        for name, items in sorted(spoken.items())
    }
    embeddings = {name: encoder.embed(name, audio, SAMPLE_RATE) for name, audio in heard.items()}
    names = list(embeddings)
    matrix = torch.stack([embeddings[name].embedding for name in names])  # (S, E)
    cosines = (matrix @ matrix.T).fill_diagonal_(-1.0)
    report = {}
    for row, name in zip(cosines, names, strict=True):
        report[name] = {
            "seconds": round(heard[name].numel() / SAMPLE_RATE, 1),
            "nearest": names[int(row.argmax())],
            "cosine": round(float(row.max()), 3),
        }
        original, _, way = name.rpartition("_")
        if f"_{way}" in COPY_SUFFIXES and original in names:
            report[name]["original"] = original
            report[name]["cosine_to_original"] = round(float(row[names.index(original)]), 3)
    write_json(options.corpus / VOICES_NAME, report)
    logger.info(
        "%d voices, %d of them with no other at %g or above",
        len(report),
        sum(voice["cosine"] < ALIKE for voice in report.values()),
        ALIKE,
    )
    copies = [voice["cosine_to_original"] for voice in report.values() if "original" in voice]
    alike = sum(cosine >= ALIKE for cosine in copies)
    logger.info("%d of %d copies at %g or above to their original", alike, len(copies), ALIKE)


def first_seconds(items: Sequence[CorpusUtterance], corpus: Path, seconds: float) -> Tensor:
    """The beginning of what a speaker says, (T,) at the encoder's rate."""
    parts: list[Tensor] = []
    for item in items:
        parts.append(load_audio(corpus / item.audio, SAMPLE_RATE))
        if sum(part.numel() for part in parts) >= seconds * SAMPLE_RATE:
            break
    return torch.cat(parts)[: round(seconds * SAMPLE_RATE)]


if __name__ == "__main__":
    run_recipe(main)
