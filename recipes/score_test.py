"""Scores what synthesize_test wrote: WER of the spoken text, similarity of the voice to its prompt.

The same numbers of the recordings themselves stand beside the model's: the recogniser mishears
people too, and two recordings of one speaker are not one voice to the encoder. Codec copies, if
given, show what of the difference the codec makes.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from latentspeech.core.errors import DataError
from latentspeech.core.files import atomic_path, write_json
from latentspeech.eval.files import make_scorers
from latentspeech.eval.report import EvalPair, EvalReport, evaluate
from recipes.one_line_errors import run_recipe

METRICS = ("wer", "sim")


def read_items(folder: Path) -> list[dict[str, str]]:
    """The lines of items.jsonl."""
    path = folder / "items.jsonl"
    if not path.is_file():
        raise DataError(f"{path} not found; speak the test set first")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def make_pairs(items: Sequence[Mapping[str, str]], folder: Path, kind: str) -> list[EvalPair]:
    """Audio of one kind (hyp or ref), held against the prompt and the text."""
    return [
        EvalPair(
            id=item["id"],
            hypothesis_path=folder / item[kind],
            reference_path=folder / item["prompt"],
            transcript=item["text"],
            speaker=item["speaker"],
        )
        for item in items
    ]


def copies(items: Sequence[Mapping[str, str]], folder: Path, codec_folder: Path) -> list[EvalPair]:
    """The codec's copies of the same recordings, for those that were copied."""
    pairs = make_pairs(items, folder, "ref")
    found = [(pair, codec_folder / "hyp" / f"{pair.id}.wav") for pair in pairs]
    return [
        EvalPair(pair.id, path, pair.reference_path, pair.transcript, pair.speaker)
        for pair, path in found
        if path.is_file()
    ]


def table(reports: Mapping[str, EvalReport]) -> str:
    """One row a kind of audio, one column a metric."""
    names = [
        f"{metric.name} {metric.unit}".strip() for metric in next(iter(reports.values())).metrics
    ]
    rows = [f"| audio | {' | '.join(names)} | utterances |", "|---" * (len(names) + 2) + "|"]
    for kind, report in reports.items():
        values = ["none" if m.value is None else f"{m.value:.3f}" for m in report.metrics]
        rows.append(f"| {kind} | {' | '.join(values)} | {len(report.utterances)} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Command line; writes scores.json (per utterance too) and scores.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--synthesis", type=Path, required=True, help="folder of synthesize_test")
    parser.add_argument("--codec_check", type=Path, help="folder of check_codec")
    parser.add_argument("--out", type=Path, required=True, help="existing or new folder")
    arguments = parser.parse_args()
    scorers = make_scorers(METRICS)
    items = read_items(arguments.synthesis)
    sets = {
        "synthesis": make_pairs(items, arguments.synthesis, "hyp"),
        "recordings": make_pairs(items, arguments.synthesis, "ref"),
    }
    if arguments.codec_check is not None:
        sets["codec copies"] = copies(items, arguments.synthesis, arguments.codec_check)
    reports = {kind: evaluate(pairs, scorers) for kind, pairs in sets.items() if pairs}
    arguments.out.mkdir(parents=True, exist_ok=True)
    text = table(reports)
    with atomic_path(arguments.out / "scores.md") as temporary:
        notes = reports["synthesis"].to_markdown()
        temporary.write_text(f"{text}\nOf the synthesis:\n\n{notes}", encoding="utf-8")
    values = {kind: report.to_dict() for kind, report in reports.items()}
    write_json(arguments.out / "scores.json", values)
    print(text)


if __name__ == "__main__":
    run_recipe(main)
