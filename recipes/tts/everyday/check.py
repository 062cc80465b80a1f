"""Speaks sentences of everyday writing in several voices and counts the words that are heard wrong.

`sentences.tsv` has two columns: what stands in a text, and what a recogniser should write when it
hears a good reader. It hears each sentence in each voice; WER-W is against the second column.
`--out` gets VOICE/NUMBER.wav, scores.json and scores.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.eval.report_markdown import render, write_report
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.tts.models import load
from latentspeech.tts.synthesizer import Synthesizer

SENTENCES = Path(__file__).parent / "sentences.tsv"


def read_sentences(path: Path = SENTENCES) -> list[tuple[str, str]]:
    """The pairs (written, spoken) of a table; lines that start with # are comments.

    Raises:
        DataError: a line has no two columns.
    """
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != 2 or not all(columns):
            raise DataError(
                f"{path}, line {number}: found {len(columns)} columns; expected the written form, "
                "a tab and the spoken form"
            )
        pairs.append((columns[0], columns[1]))
    return pairs


def speak(
    synthesizer: Synthesizer, sentences: Sequence[tuple[str, str]], voices: Sequence[str], out: Path
) -> list[EvalPair]:
    """Speaks each sentence in each voice, with the sentence's number as seed."""
    pairs = []
    for voice in voices:
        prompt = synthesizer.voice(voice)
        for number, (written, spoken) in enumerate(sentences):
            path = out / voice / f"{number:03d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            synthesizer.synthesize(written, prompt, seed=number).save(path)
            pairs.append(EvalPair(f"{voice}/{number:03d}", path, transcript=spoken, speaker=voice))
    return pairs


def main() -> None:
    """Speaks, scores and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="model directory; default: the built-in one")
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    parser.add_argument("--voices", nargs="+", default=["heart", "emma", "george"])
    parser.add_argument("--metrics", nargs="+", default=["wer-w"])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    sentences = read_sentences(arguments.sentences)
    synthesizer = load(arguments.model)
    pairs = speak(synthesizer, sentences, arguments.voices, arguments.out)
    report = evaluate(pairs, make_scorers(arguments.metrics))
    write_report(report, arguments.out / "scores.json")
    print(render(report))


if __name__ == "__main__":
    run_recipe(main)
