"""Speech of our model and of voices that packages carry, heard by the same judges.

    python -m benchmarks.tts_quality --out DIR [--voices heart george] [--count 20]
        [--fixed hibari=FOLDER kokoro=FOLDER piper]

Every voice speaks the same sentences, in which numbers and abbreviations are already written as
words, so that only the speech counts. `--fixed` are voices of lib/fixed_voices.py. `--out` gets the
recordings. Prints one JSON object with WER-W and DistillMOS of each voice.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.lib.fixed_voices import open_voice
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.tts.models import load
from recipes.tts.everyday.check import read_sentences

METRICS = ("wer-w", "distillmos")


def speak_ours(texts: Sequence[str], voice: str, folder: Path) -> None:
    """Speaks the sentences with our model, with their numbers as seeds."""
    speaker = load()
    prompt = speaker.voice(voice)
    for number, text in enumerate(texts):
        speaker.synthesize(text, prompt, seed=number).save(folder / f"{number:03d}.wav")


def speak_fixed(texts: Sequence[str], option: str, folder: Path) -> None:
    """Speaks the sentences with a voice of a package, NAME or NAME=FOLDER."""
    name, _, place = option.partition("=")
    voice = open_voice(name, Path(place) if place else None, threads=1)
    for number, text in enumerate(texts):
        samples = np.concatenate(list(voice.speak(text)))
        soundfile.write(folder / f"{number:03d}.wav", samples, voice.sample_rate)


def score(texts: Sequence[str], folder: Path) -> dict[str, Any]:
    """The scores of a folder, with intervals of 95 % over sentences."""
    pairs = [
        EvalPair(f"{number:03d}", folder / f"{number:03d}.wav", transcript=text)
        for number, text in enumerate(texts)
    ]
    report = evaluate(pairs, make_scorers(METRICS))
    return {
        metric.key: {"value": metric.value, "interval": metric.interval}
        for metric in report.metrics
    }


def main() -> None:
    """Speaks, scores and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--voices", nargs="*", default=["heart", "george"])
    parser.add_argument("--fixed", nargs="*", default=[], metavar="NAME[=FOLDER]")
    parser.add_argument("--count", type=int, default=20)
    arguments = parser.parse_args()
    texts = [spoken for _, spoken in read_sentences()][: arguments.count]
    rows = []
    speakers = [(f"latentspeech, {voice}", speak_ours, voice) for voice in arguments.voices]
    speakers += [(option.partition("=")[0], speak_fixed, option) for option in arguments.fixed]
    for what, speak, option in speakers:
        folder = arguments.out / option.partition("=")[0]
        folder.mkdir(parents=True, exist_ok=True)
        speak(texts, option, folder)
        rows.append({"what": what, **score(texts, folder)})
    print(json.dumps({"sentences": len(texts), "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
