"""Scores what stage 7 wrote; recipes/tts/test_set/score_test.py describes the comparisons."""

import argparse
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.device import AUTO, DEVICE_HELP, choose_device
from latentspeech.core.eval.report_markdown import render
from latentspeech.core.storage.files import atomic_path, write_json
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.lists import read_list
from recipes.tts.test_set.score_parts import parts_table, read_kinds_of_voice
from recipes.tts.test_set.score_test import METRICS, copy_folders, score_all, table


def main() -> None:
    """Command line; writes scores.json, with scores of each utterance, and scores.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--synthesis", type=Path, required=True, help="folder of synthesize_test")
    parser.add_argument("--codec_check", type=Path, help="folder of recipes.codec.check")
    parser.add_argument("--out", type=Path, required=True, help="existing or new folder")
    parser.add_argument("--cuts", type=Path, help="the spoken cuts, to tell kinds of voices apart")
    parser.add_argument("--metrics", default=",".join(METRICS), help="as in latentspeech score")
    parser.add_argument("--device", default=AUTO, help=f"for networks: {DEVICE_HELP}")
    arguments = parser.parse_args()
    items = read_list(arguments.synthesis / "items.jsonl")
    # score_all leaves the last scorer out for recordings: rtf needs the time of a synthesis.
    scorers = make_scorers([*arguments.metrics.split(","), "rtf"], choose_device(arguments.device))
    copies = copy_folders(arguments.synthesis, arguments.codec_check)
    reports = score_all(items, copies, scorers)
    arguments.out.mkdir(parents=True, exist_ok=True)
    kinds = {} if arguments.cuts is None else read_kinds_of_voice(arguments.cuts)
    text = f"{table(reports)}\n{parts_table(reports, scorers[:-1], kinds)}"
    with atomic_path(arguments.out / "scores.md") as temporary:
        notes = render(reports["synthesis"])
        temporary.write_text(f"{text}\nOf the synthesis:\n\n{notes}", encoding="utf-8")
    values = {kind: report.to_dict() for kind, report in reports.items()}
    write_json(arguments.out / "scores.json", values)
    print(text)


if __name__ == "__main__":
    run_recipe(main)
