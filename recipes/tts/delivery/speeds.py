"""Measures speech at other speeds: the rate that comes out, what is understood, and the pitch.

    python -m recipes.tts.delivery.speeds --out exp/speeds

Sentences of everyday writing are spoken at each speed. The rate is the length at speed 1 over the
length at that speed, WER-W is what Whisper hears wrong, and the pitch is the median over voiced
frames of all sentences (pYIN). `--out` gets speeds.json, speeds.md and the audio.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from latentspeech.audio.io import resample
from latentspeech.core.command import run_recipe
from latentspeech.core.storage.files import atomic_path, write_json
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.metrics.pitch import SAMPLE_RATE, track_pitch
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.text.reading import Delivery
from latentspeech.tts.models import load
from latentspeech.tts.synthesizer import Synthesizer
from recipes.lib.results_file import provenance_lines, this_command
from recipes.tts.everyday.check import SENTENCES, read_sentences


def measure(
    synthesizer: Synthesizer,
    sentences: Sequence[tuple[str, str]],
    voice: str,
    speed: float,
    out: Path,
) -> dict[str, float | None]:
    """Speaks each sentence (written, spoken) at a speed; returns length, WER-W and pitch."""
    pairs, pitches, duration_s = [], [], 0.0
    for number, (written, spoken) in enumerate(sentences):
        path = out / f"{speed:g}" / f"{number:03d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        audio = synthesizer.synthesize(written, voice, seed=number, delivery=Delivery(speed=speed))
        audio.save(path)
        duration_s += audio.duration_s
        track = track_pitch(
            resample(torch.from_numpy(audio.samples), audio.sample_rate, SAMPLE_RATE)
        )
        pitches.append(track.pitch_hz[track.voiced])
        pairs.append(EvalPair(path.stem, path, transcript=spoken, speaker=voice))
    report = evaluate(pairs, make_scorers(["wer-w"]))
    return {
        "duration_s": round(duration_s, 2),
        "wer_w_percent": _rounded(report.metrics[0].value),
        "pitch_hz": round(float(np.median(np.concatenate(pitches))), 1),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def main() -> None:
    """Speaks, measures, and writes the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="model directory; default: the built-in one")
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    parser.add_argument("--num_sentences", type=int, default=20)
    parser.add_argument("--voice", default="heart")
    parser.add_argument("--speeds", type=float, nargs="+", default=[0.5, 0.75, 1.0, 1.5, 2.0])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    sentences = read_sentences(arguments.sentences)[: arguments.num_sentences]
    synthesizer = load(arguments.model)
    rows = {}
    for speed in dict.fromkeys((1.0, *arguments.speeds)):
        rows[speed] = measure(synthesizer, sentences, arguments.voice, speed, arguments.out)
    own_s = rows[1.0]["duration_s"]
    for row in rows.values():
        assert own_s is not None
        assert row["duration_s"] is not None
        row["rate"] = round(own_s / row["duration_s"], 3)
    write_json(arguments.out / "speeds.json", {f"{speed:g}": row for speed, row in rows.items()})
    lines = ["| speed | rate | WER-W, % | median pitch, Hz |", "|---|---|---|---|"]
    for speed in sorted(rows):
        row = rows[speed]
        lines.append(f"| {speed:g} | {row['rate']} | {row['wer_w_percent']} | {row['pitch_hz']} |")
    command = this_command("recipes.tts.delivery.speeds")
    about = provenance_lines(command, [f"{len(sentences)} sentences, voice {arguments.voice}"])
    with atomic_path(arguments.out / "speeds.md") as temporary:
        temporary.write_text("\n".join([*lines, "", *about]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_recipe(main)
