"""Copies test utterances through the codec and scores the copies, signal against signal.

`--out` gets ref/, hyp/, items.jsonl (for `latentspeech score --list`), scores.json and scores.md.
"""

import argparse
from pathlib import Path

import torch

from latentspeech.audio.io import write_audio
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import codec_hash, load_codec
from latentspeech.data.utterances import Utterance, load_utterance, read_utterances
from latentspeech.eval.evaluate import evaluate
from latentspeech.eval.lists import ListInfo, ListRow, read_list, write_list
from latentspeech.eval.metrics import make_scorers
from latentspeech.eval.protocols.cut_utterances import choose_evaluation_items, read_cut_sexes
from recipes.one_line_errors import run_recipe
from recipes.result_folder import audio_path, open_result_folder

METRICS = ("mel-dac-class", "pesq", "stoi", "visqol", "mel", "si-sdr")


@torch.inference_mode()
def copy_utterance(
    codec: Codec, utterance: Utterance, out: Path, sex: str | None = None
) -> ListRow:
    """Writes the original and its copy by the codec's means, unless they are there."""
    rate = codec.config.sample_rate
    original = audio_path(out, "ref", utterance.id)
    copy = audio_path(out, "hyp", utterance.id)
    if not (original.is_file() and copy.is_file()):
        audio = load_utterance(utterance, rate)  # (T,)
        decoded = codec.decode(codec.encode(audio[None]), len(audio))[0]  # (T,)
        write_audio(original, audio, rate)
        write_audio(copy, decoded.clamp(-1, 1), rate)
    return ListRow(
        id=utterance.id,
        hypothesis_path=copy.relative_to(out).as_posix(),
        reference_path=original.relative_to(out).as_posix(),
        transcript=utterance.text or None,
        speaker=utterance.speaker or None,
        sex=sex,
        duration_s=round(utterance.duration_s, 6),
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", type=Path, required=True, help="model directory")
    parser.add_argument("--cuts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--max_items", type=int, default=100, help="0 for all")
    arguments = parser.parse_args()
    items = choose_evaluation_items(read_utterances(arguments.cuts), arguments.max_items)
    open_result_folder(arguments.out, {"codec_hash": codec_hash(arguments.codec)})
    codec = load_codec(arguments.codec)
    sexes = read_cut_sexes(arguments.cuts)
    targets = [item.target for item in items]
    rows = [copy_utterance(codec, one, arguments.out, sexes.get(one.id)) for one in targets]
    list_path = arguments.out / "items.jsonl"
    rule = "copies of test cuts by the means of the codec's posterior"
    write_list(list_path, rows, ListInfo("codec check", rule))
    chosen = read_list(list_path)
    settings = {"list": chosen.describe()}
    report = evaluate(chosen.pairs(), make_scorers(METRICS), settings=settings)
    report.write(arguments.out / "scores.json")
    print(report.to_markdown())


if __name__ == "__main__":
    run_recipe(main)
