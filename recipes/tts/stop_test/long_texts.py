"""Compares the word errors of a long text, streamed, with those of its sentences spoken one by one.

The texts of the test cuts that have six words or more, each once, are joined until there are
`--words` words. `latentspeech synth --stream` speaks them in a process of its own, whose peak
memory is measured; the same sentences are spoken in batches. `--out` gets the audio, long_text.json
and long_text.md.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.eval.report import MetricResult
from latentspeech.core.eval.text_table import TextTable
from latentspeech.core.storage.files import atomic_path, write_json
from latentspeech.data.utterances import read_utterances
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.text.normalizer import normalize
from latentspeech.text.sentences import split_sentences
from latentspeech.tts.models import load
from latentspeech.tts.synthesizer import MAX_SENTENCE_CHARACTERS, Synthesizer
from recipes.lib.results_file import provenance_lines, this_command
from recipes.tts.test_set.sampling_options import add_batch_option

MIN_WORDS = 6


def long_text(cuts: Path, num_words: int) -> str:
    """Joins different texts of whole sentences until there are `num_words` words."""
    texts: dict[str, int] = {}
    for utterance in read_utterances(cuts):
        text = utterance.text.strip()
        if len(text.split()) >= MIN_WORDS and text.endswith((".", "?", "!")):
            texts[text] = len(text.split())
        if sum(texts.values()) >= num_words:
            return " ".join(texts)
    raise DataError(f"{cuts} has {sum(texts.values())} words of text; give fewer --words")


def speak_at_once(model: str, voice: str, text: str, out: Path) -> tuple[Path, float, float]:
    """Streams the text into a file; returns its path, the seconds, the peak memory in MiB."""
    (out / "text.txt").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "latentspeech.cli.main", "synth", "--stream", "--quiet"]
    command += ["--model", model, "--voice", voice, "--text-file", str(out / "text.txt")]
    started = time.perf_counter()
    with (out / "stream.wav").open("wb") as stream:
        subprocess.run(command, stdout=stream, check=True)
    seconds = time.perf_counter() - started
    # The header of a stream does not know its length.
    write_audio(out / "long.wav", load_audio(out / "stream.wav", 24_000), 24_000)
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return out / "long.wav", seconds, peak_mib


def speak_each(
    synthesizer: Synthesizer, voice: str, sentences: Sequence[str], out: Path, batch_size: int
) -> list[EvalPair]:
    """Speaks the sentences each by itself."""
    pairs = []
    for first in range(0, len(sentences), batch_size):
        batch = sentences[first : first + batch_size]
        seeds = range(first, first + len(batch))
        audios = synthesizer.synthesize_batch(batch, [voice] * len(batch), list(seeds))
        for number, text, audio in zip(seeds, batch, audios, strict=True):
            path = out / f"sentence_{number}.wav"
            audio.save(path)
            pairs.append(EvalPair(id=path.stem, hypothesis_path=path, transcript=text))
    return pairs


def word_errors(pairs: Sequence[EvalPair]) -> MetricResult:
    """WER-W over all pairs."""
    return evaluate(pairs, make_scorers(["wer-w"]), settings={}).metrics[0]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tts", help="TTS model directory or name")
    parser.add_argument("--voice", default="heart")
    parser.add_argument("--cuts", type=Path, required=True)
    parser.add_argument("--words", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    add_batch_option(parser)
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    text = long_text(arguments.cuts, arguments.words)
    path, seconds, peak_mib = speak_at_once(arguments.model, arguments.voice, text, out)
    sentences = split_sentences(normalize(text), MAX_SENTENCE_CHARACTERS)
    pairs = speak_each(load(arguments.model), arguments.voice, sentences, out, arguments.batch_size)
    whole = word_errors([EvalPair(id="long", hypothesis_path=path, transcript=text)])
    each = word_errors(pairs)
    assert whole.value is not None
    assert each.value is not None
    audio_s = len(load_audio(path, 24_000)) / 24_000
    values = {
        "words": len(text.split()),
        "sentences": len(sentences),
        "audio_s": audio_s,
        "seconds": seconds,
        "peak_mib": peak_mib,
        "wer_whole": whole.value,
        "wer_each": each.value,
    }
    write_json(out / "long_text.json", values)
    low, high = each.interval or (each.value, each.value)
    rows = [
        ["at once, streamed", "1", f"{whole.value:.2f}", f"{audio_s:.0f}", f"{peak_mib:.0f}"],
        [
            "one by one",
            str(len(sentences)),
            f"{each.value:.2f} ({low:.2f} to {high:.2f})",
            "-",
            "-",
        ],
    ]
    caption = f"{values['words']} words in the voice {arguments.voice}."
    table = TextTable(caption, ["", "pieces", "WER-W %", "audio s", "peak MiB"], rows)
    lines = [
        "# Long text",
        "",
        *provenance_lines(this_command("recipes.tts.stop_test.long_texts"), []),
        "",
    ]
    with atomic_path(out / "long_text.md") as temporary:
        temporary.write_text("\n".join([*lines, table.to_markdown()]), encoding="utf-8")
    print((out / "long_text.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    run_recipe(main)
