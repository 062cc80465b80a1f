"""Searches the latents from which the decoder makes its best copy of a recording.

    python -m recipes.codec.study.search --cuts CUTS --out OUT

OUT is a folder of recipes.codec.study.parts, which holds recordings and copies. The encoder's means
are the start; the losses that the decoder was trained with, without discriminators, are then made
small by changing the latents alone. If the copies become much better, the decoder can do more than
the encoder asks of it; if they do not, the decoder or the number of latents sets the limit.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from latentspeech.audio.io import write_audio
from latentspeech.codec.losses.loudness_loss import LoudnessLoss
from latentspeech.codec.losses.mel_loss import MultiScaleMelLoss, MultiScaleMelLossConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import load_codec_module
from latentspeech.core.command import run_recipe
from latentspeech.data.utterances import load_utterance, read_utterances
from recipes.codec.study.changes import COPY
from recipes.codec.study.parts import METRICS, folder_of, score
from recipes.codec.study.table import differences, markdown_table
from recipes.lib.result_folder import audio_path

SEARCHED = "latents searched for"
# The losses and their weights are those of egs/mini/conf/codec_default_decoder.yaml.
MEL = MultiScaleMelLossConfig(level_exponent=0.2)
_MEL_WEIGHT, _LOUDNESS_WEIGHT = 15.0, 5.0
_RATE = 0.05  # of Adam; the means have a deviation of about 3


def search(codec: Codec, audio: Tensor, steps: int) -> Tensor:
    """Audio (S,) -> latents (1, T, D) that were changed in `steps` steps."""
    mel, loudness = MultiScaleMelLoss(MEL), LoudnessLoss(codec.config.sample_rate)
    codec.requires_grad_(False)
    latents = codec.encode(audio[None]).requires_grad_()
    optimizer = torch.optim.Adam([latents], lr=_RATE)
    for _ in range(steps):
        copy = codec.decode(latents, len(audio))
        loss = _MEL_WEIGHT * mel(copy, audio[None])
        loss = loss + _LOUDNESS_WEIGHT * loudness(copy, audio[None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return latents.detach()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    codec_help = "model directory (default: %(default)s)"
    add("--codec", type=Path, default=Path("latentspeech/models/codec"), help=codec_help)
    add("--cuts", type=Path, required=True, help="the cuts that OUT was made of")
    add("--out", type=Path, required=True, help="folder of recipes.codec.study.parts")
    add("--max_items", type=int, default=8, help="most cuts (default: %(default)s)")
    add("--steps", type=int, default=60, help="default: %(default)s")
    add("--metrics", default=",".join(METRICS), help="default: %(default)s")
    arguments = parser.parse_args()
    codec = load_codec_module(arguments.codec)
    rate, out = codec.config.sample_rate, arguments.out
    utterances = read_utterances(arguments.cuts)[: arguments.max_items]
    for one in utterances:
        path = audio_path(out / folder_of(SEARCHED), "hyp", one.id)
        if path.is_file():
            continue
        audio = load_utterance(one, rate)
        latents = search(codec, audio, arguments.steps)
        copy = codec.decode(latents, len(audio))[0]
        write_audio(path, copy.detach().clamp(-1, 1), rate)
    metrics = arguments.metrics.split(",")
    reports = {name: score(name, utterances, out, metrics) for name in (COPY, SEARCHED)}
    rows = differences(reports, COPY, metrics)
    # The copies' own row would be a mean over all recordings, not over these.
    print(markdown_table({SEARCHED: rows[SEARCHED]}), end="")


if __name__ == "__main__":
    run_recipe(main)
