"""Copies test utterances through the codec and scores the copies: PESQ-WB, STOI, mel distance."""

import argparse
from pathlib import Path

import torch

from latentspeech.audio.io import write_audio
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import codec_hash, load_codec
from latentspeech.data.utterances import Utterance, load_utterance, read_utterances
from latentspeech.eval.files import make_scorers
from latentspeech.eval.report import EvalPair, evaluate
from recipes.evaluation_list import choose_evaluation_items
from recipes.one_line_errors import run_recipe
from recipes.result_folder import audio_path, open_result_folder

METRICS = ("pesq", "stoi", "mel")


@torch.inference_mode()
def copy_utterance(codec: Codec, utterance: Utterance, out: Path) -> EvalPair:
    """Writes the original and its copy by the codec's means, unless they are there."""
    rate = codec.config.sample_rate
    original = audio_path(out, "ref", utterance.id)
    copy = audio_path(out, "hyp", utterance.id)
    if not (original.is_file() and copy.is_file()):
        audio = load_utterance(utterance, rate)  # (T,)
        decoded = codec.decode(codec.encode(audio[None]), len(audio))[0]  # (T,)
        write_audio(original, audio, rate)
        write_audio(copy, decoded.clamp(-1, 1), rate)
    return EvalPair(utterance.id, copy, original, utterance.text, utterance.speaker)


def main() -> None:
    """Command line; `--out` gets ref/, hyp/, scores.json and scores.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", type=Path, required=True, help="model directory")
    parser.add_argument("--cuts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--max_items", type=int, default=100, help="0 for all")
    arguments = parser.parse_args()
    scorers = make_scorers(METRICS)
    items = choose_evaluation_items(read_utterances(arguments.cuts), arguments.max_items)
    open_result_folder(arguments.out, {"codec_hash": codec_hash(arguments.codec)})
    codec = load_codec(arguments.codec)
    pairs = [copy_utterance(codec, item.target, arguments.out) for item in items]
    report = evaluate(pairs, scorers)
    report.write(arguments.out / "scores.json")
    print(report.to_markdown())


if __name__ == "__main__":
    run_recipe(main)
