"""Changes one part of the decoder's sound at a time and scores what is heard then.

    python -m recipes.codec.study.parts --cuts CUTS --out OUT

Each row of OUT/table.md is a way to make a copy: the decoder's, with a part left out, or with a
part taken from the recording. Beside each score stands its difference from the decoder's copies.
OUT/parts.png shows the differences. A second call scores only what is not scored yet.
"""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from latentspeech.audio.io import write_audio
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import decoding_hash, load_codec_module
from latentspeech.core.command import run_recipe
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.storage.files import atomic_path
from latentspeech.core.tensors import make_generator
from latentspeech.data.utterances import Utterance, load_utterance, read_utterances
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.pair import EvalPair
from recipes.codec.study.changes import COPY, Change, changes, hear
from recipes.codec.study.frames import sound_of
from recipes.codec.study.table import differences, draw, markdown_table
from recipes.lib.result_folder import audio_path, open_result_folder

logger = logging.getLogger(__name__)

METRICS = ("distillmos", "pesq")


def folder_of(name: str) -> str:
    """The folder of a row's audio and scores."""
    return name.replace(",", "").replace(" ", "_")


@torch.inference_mode()
def write_copies(codec: Codec, utterance: Utterance, rows: Mapping[str, Change], out: Path) -> None:
    """Writes the recording and all its changed copies, unless they are there."""
    paths = {name: audio_path(out / folder_of(name), "hyp", utterance.id) for name in rows}
    if all(path.is_file() for path in paths.values()):
        return
    rate = codec.config.sample_rate
    audio = load_utterance(utterance, rate)
    heard = hear(codec, audio, make_generator(0, f"study/{utterance.id}"))
    write_audio(audio_path(out, "ref", utterance.id), audio, rate)
    for name, change in rows.items():
        sound = sound_of(heard.head, change(heard))[0, : len(audio)]
        write_audio(paths[name], sound.clamp(-1, 1), rate)


def score(
    name: str, utterances: Sequence[Utterance], out: Path, metrics: Sequence[str]
) -> EvalReport:
    """Scores a row's audio, or reads its scores if they are there."""
    folder = out / folder_of(name)
    path = folder / "scores.json"
    if not path.is_file():
        pairs = [
            EvalPair(
                one.id,
                audio_path(folder, "hyp", one.id),
                audio_path(out, "ref", one.id),
                speaker=one.speaker or None,
            )
            for one in utterances
        ]
        write_report(evaluate(pairs, make_scorers(metrics)), path)
    return EvalReport.read(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    codec_help = "model directory (default: %(default)s)"
    add("--codec", type=Path, default=Path("latentspeech/models/codec"), help=codec_help)
    add("--cuts", type=Path, required=True, help="cuts of speech")
    add("--out", type=Path, required=True)
    add("--max_items", type=int, default=24, help="most cuts (default: %(default)s)")
    add("--metrics", default=",".join(METRICS), help="default: %(default)s")
    arguments = parser.parse_args()
    out, metrics = arguments.out, arguments.metrics.split(",")
    codec = load_codec_module(arguments.codec)
    utterances = read_utterances(arguments.cuts)[: arguments.max_items]
    key = {"codec_hash": decoding_hash(arguments.codec), "metrics": arguments.metrics}
    open_result_folder(out, key | {"utterances": " ".join(one.id for one in utterances)})
    rows = changes(codec.config.sample_rate)
    for one in utterances:
        write_copies(codec, one, rows, out)
    reports = {}
    for name in rows:
        logger.info("judging: %s", name)
        reports[name] = score(name, utterances, out, metrics)
    found = differences(reports, COPY, metrics)
    with atomic_path(out / "table.md") as temporary:
        temporary.write_text(markdown_table(found), encoding="utf-8")
    draw(found, out / "parts.png")
    print(markdown_table(found), end="")


if __name__ == "__main__":
    run_recipe(main)
