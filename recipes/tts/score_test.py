"""Scores what synthesize_test wrote: the text, the voice, the sound and the speed.

The same numbers of the recordings themselves stand beside the model's: the recogniser mishears
people too, and two recordings of one speaker are not one voice to the encoder. Equalized copies,
the recordings as codec and equalizer let them through in this voice, show how near a synthesis can
come; plain copies of the codec, if given, what of the difference the codec makes. SIM-o is held
against the prompt as recorded, SIM-r against the codec's copy of it.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.scorer import Scorer
from latentspeech.core.files import atomic_path, write_json
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.lists import EvalList, read_list
from latentspeech.eval.scoring.pair import EvalPair
from recipes.one_line_errors import run_recipe
from recipes.tts.score_parts import parts_table, read_kinds_of_voice
from recipes.tts.test_files import CODEC_COPIES, EQUALIZED_COPIES

METRICS = ("wer-w", "sim-ge2e-o", "sim-ge2e-r", "dnsmos")


def recordings_of(pairs: Sequence[EvalPair]) -> list[EvalPair]:
    """The recordings of the same texts in the place of the synthesis."""
    return [
        replace(pair, hypothesis_path=pair.reference_path)
        for pair in pairs
        if pair.reference_path is not None
    ]


def copy_folders(synthesis: Path, codec_check: Path | None) -> dict[str, Path]:
    """Where copies of the recordings are: the synthesis' own before those of the codec check."""
    folders = {"equalized copies": synthesis / EQUALIZED_COPIES}
    if (synthesis / CODEC_COPIES).is_dir():
        folders["codec copies"] = synthesis / CODEC_COPIES
    elif codec_check is not None:
        folders["codec copies"] = codec_check / "hyp"
    return folders


def copies_of(pairs: Sequence[EvalPair], folder: Path) -> list[EvalPair]:
    """The copies of the same recordings in a folder, for those that were copied."""
    found = [replace(p, hypothesis_path=folder / f"{p.id}.wav") for p in pairs]
    return [pair for pair in found if pair.hypothesis_path.is_file()]


def score_all(
    items: EvalList, copies: Mapping[str, Path], scorers: Sequence[Scorer]
) -> dict[str, EvalReport]:
    """A report for each kind of audio; the last scorer is for the synthesis alone.

    `copies` are kinds of copies of the recordings and the folders that they are in.
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
    """One row a kind of audio, one column a metric."""
    metrics = reports["synthesis"].metrics
    names = [f"{metric.name} {metric.unit}".strip() for metric in metrics]
    rows = [f"| audio | {' | '.join(names)} | utterances |", "|---" * (len(names) + 2) + "|"]
    for kind, report in reports.items():
        found = {metric.name: metric.value for metric in report.metrics}
        values = [found.get(metric.name) for metric in metrics]
        cells = ["none" if value is None else f"{value:.3f}" for value in values]
        rows.append(f"| {kind} | {' | '.join(cells)} | {len(report.utterances)} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Command line; writes scores.json (per utterance too) and scores.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--synthesis", type=Path, required=True, help="folder of synthesize_test")
    parser.add_argument("--codec_check", type=Path, help="folder of check_codec")
    parser.add_argument("--out", type=Path, required=True, help="existing or new folder")
    parser.add_argument("--cuts", type=Path, help="that were spoken, to tell kinds of voices apart")
    parser.add_argument("--metrics", default=",".join(METRICS), help="as of latentspeech score")
    arguments = parser.parse_args()
    items = read_list(arguments.synthesis / "items.jsonl")
    # Nobody timed the people who were recorded.
    scorers = make_scorers([*arguments.metrics.split(","), "rtf"])
    copies = copy_folders(arguments.synthesis, arguments.codec_check)
    reports = score_all(items, copies, scorers)
    arguments.out.mkdir(parents=True, exist_ok=True)
    kinds = {} if arguments.cuts is None else read_kinds_of_voice(arguments.cuts)
    text = f"{table(reports)}\n{parts_table(reports, scorers[:-1], kinds)}"
    with atomic_path(arguments.out / "scores.md") as temporary:
        notes = reports["synthesis"].to_markdown()
        temporary.write_text(f"{text}\nOf the synthesis:\n\n{notes}", encoding="utf-8")
    values = {kind: report.to_dict() for kind, report in reports.items()}
    write_json(arguments.out / "scores.json", values)
    print(text)


if __name__ == "__main__":
    run_recipe(main)
