"""Scores what synthesize_test wrote: the text, the voice, the sound and the speed.

The recordings themselves are scored too, because the recogniser makes errors on recordings as well,
and two recordings of one speaker differ for the speaker encoder. Equalized copies are recordings
that went through the codec and the voice's equalizer; they show how near a synthesis can come.
Plain copies of the codec, if given, show what part of the difference the codec makes. SIM-o
compares with the prompt as recorded, SIM-r with the codec's copy of the prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from latentspeech.core.eval.report import EvalReport
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.lists import EvalList
from latentspeech.eval.scoring.pair import EvalPair
from recipes.tts.test_set.test_files import CODEC_COPIES, EQUALIZED_COPIES

METRICS = ("wer-w", "sim-ge2e-o", "sim-ge2e-r", "dnsmos")


def recordings_of(pairs: Sequence[EvalPair]) -> list[EvalPair]:
    """The pairs with the recordings of the same texts in the place of the synthesis."""
    return [
        replace(pair, hypothesis_path=pair.reference_path)
        for pair in pairs
        if pair.reference_path is not None
    ]


def copy_folders(synthesis: Path, codec_check: Path | None) -> dict[str, Path]:
    """Folders of copies of the recordings by kind; the synthesis' own replace the check's."""
    folders = {"equalized copies": synthesis / EQUALIZED_COPIES}
    if (synthesis / CODEC_COPIES).is_dir():
        folders["codec copies"] = synthesis / CODEC_COPIES
    elif codec_check is not None:
        folders["codec copies"] = codec_check / "hyp"
    return folders


def copies_of(pairs: Sequence[EvalPair], folder: Path) -> list[EvalPair]:
    """The pairs with the copies of their recordings in `folder`, where there is a copy."""
    found = [replace(p, hypothesis_path=folder / f"{p.id}.wav") for p in pairs]
    return [pair for pair in found if pair.hypothesis_path.is_file()]


def score_all(
    items: EvalList, copies: Mapping[str, Path], scorers: Sequence[AudioScorer]
) -> dict[str, EvalReport]:
    """Returns a report for each kind of audio; the last scorer scores the synthesis alone.

    `copies` gives the folder of each kind of copies of the recordings.
    """
    pairs = items.pairs()
    settings = {"list": items.describe()}
    reports = {"synthesis": evaluate(pairs, scorers, settings=settings)}
    others = {"recordings": recordings_of(pairs)}
    others |= {kind: copies_of(pairs, folder) for kind, folder in copies.items()}
    for kind, chosen in others.items():
        if chosen:
            reports[kind] = evaluate(chosen, scorers[:-1], settings=settings)
    return reports


def table(reports: Mapping[str, EvalReport]) -> str:
    """A table with a row for each kind of audio and a column for each metric."""
    metrics = reports["synthesis"].metrics
    names = [f"{metric.name} {metric.unit}".strip() for metric in metrics]
    rows = [f"| audio | {' | '.join(names)} | utterances |", "|---" * (len(names) + 2) + "|"]
    for kind, report in reports.items():
        found = {metric.name: metric.value for metric in report.metrics}
        values = [found.get(metric.name) for metric in metrics]
        cells = ["none" if value is None else f"{value:.3f}" for value in values]
        rows.append(f"| {kind} | {' | '.join(cells)} | {len(report.items)} |")
    return "\n".join(rows) + "\n"
