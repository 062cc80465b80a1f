"""Writes down what Whisper tiny.en hears in a corpus, so that misread utterances can be left out.

    python -m egs.mini.local.choose.listen --corpus egs/mini/data/corpus

CORPUS/heard.jsonl gets a line for each utterance with a text: id, heard, and how many of its words
are wrong (Whisper's normaliser on both texts). Several utterances share one of Whisper's windows of
30 s, half a second apart, which is four times as fast as one by one. Utterances with too many
errors are heard again alone.
Stop it at any time; the same command goes on. `prepare_cuts.py --max_wer` reads the file.
"""

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from latentspeech.audio.io import load_audio
from latentspeech.core.command import run_recipe
from latentspeech.data.manifest import CorpusUtterance, read_manifest
from latentspeech.eval.metrics.text_normalisers import TextNormaliser, WhisperNormaliser
from latentspeech.eval.models.recognisers.recogniser import SAMPLE_RATE, Recogniser
from latentspeech.eval.models.recognisers.whisper import WhisperTiny

logger = logging.getLogger(__name__)

HEARD_NAME = "heard.jsonl"
WINDOW_S = 27.0
GAP_S = 0.5
HEAR_AGAIN = 0.3  # share of wrong words


class Heard(NamedTuple):
    """Recognised words and errors of one utterance."""

    text: str
    errors: int
    words: int  # of the text that was to be said

    @property
    def wer(self) -> float:
        """Share of wrong words; the text has one or more."""
        return self.errors / self.words


def main() -> None:
    """Listens to what has not been heard yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with manifest.jsonl")
    parser.add_argument("--sources", default="", help="by name with commas between; all if empty")
    options = parser.parse_args()
    done = read_heard(options.corpus)
    sources = set(filter(None, options.sources.split(",")))
    normalise = WhisperNormaliser()
    items = [
        item
        for item in read_manifest(options.corpus)
        if (not sources or item.source in sources) and normalise(item.text)
    ]
    recogniser = WhisperTiny()
    rest = [item for item in items if item.id not in done]
    drop_unfinished(options.corpus / HEARD_NAME)
    with (options.corpus / HEARD_NAME).open("a", encoding="utf-8") as file:
        for window in windows(rest):
            found = listen(window, options.corpus, recogniser, normalise)
            for item, heard in zip(window, found, strict=True):
                file.write(json.dumps({"id": item.id, **heard._asdict()}) + "\n")
                done[item.id] = heard
            file.flush()
    of_source: dict[str, list[Heard]] = defaultdict(list)
    for item in items:
        of_source[item.source].append(done[item.id])
    for source, heard_all in of_source.items():
        wer = sum(heard.errors for heard in heard_all) / sum(heard.words for heard in heard_all)
        bad = sum(heard.wer > HEAR_AGAIN for heard in heard_all)
        logger.info(
            "%s: %d utterances, %.1f %% of words wrong; more than %g %% in %d of them",
            source, len(heard_all), 100 * wer, 100 * HEAR_AGAIN, bad,
        )  # fmt: skip


def read_heard(corpus: Path) -> dict[str, Heard]:
    """The results so far, by id. An unfinished last line does not count."""
    path = corpus / HEARD_NAME
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return {row["id"]: Heard(row["text"], row["errors"], row["words"]) for row in rows}


def drop_unfinished(path: Path) -> None:
    """Cuts off the line that a kill left without its end."""
    if path.is_file():
        text = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(text.rfind(b"\n") + 1)


def windows(items: Sequence[CorpusUtterance]) -> Iterator[list[CorpusUtterance]]:
    """Groups of neighbours that fit one window; a longer utterance is a group of its own."""
    window: list[CorpusUtterance] = []
    seconds = 0.0
    for item in items:
        if window and seconds + item.duration_s > WINDOW_S:
            yield window
            window, seconds = [], 0.0
        window.append(item)
        seconds += item.duration_s + GAP_S
    if window:
        yield window


def listen(
    window: Sequence[CorpusUtterance],
    corpus: Path,
    recogniser: Recogniser,
    normalise: TextNormaliser,
) -> list[Heard]:
    """Recognises each utterance in its window and, if that gives too many errors, alone."""
    audio = [load_audio(corpus / item.audio, SAMPLE_RATE) for item in window]
    texts = [normalise(item.text) for item in window]
    gap = torch.zeros(round(GAP_S * SAMPLE_RATE))
    together = torch.cat([part for samples in audio for part in (samples, gap)])
    found = compare(texts, normalise(recogniser.transcribe(together, SAMPLE_RATE)))
    for place, heard in enumerate(found):
        if len(window) > 1 and heard.wer > HEAR_AGAIN:
            alone = normalise(recogniser.transcribe(audio[place], SAMPLE_RATE))
            found[place] = compare([texts[place]], alone)[0]
    return found


def compare(texts: Sequence[str], heard: str) -> list[Heard]:
    """Gives each text its part of what was heard in all of them, by the best alignment of words."""
    import jiwer  # of the extra [eval]; corpus/prepare_cuts.py only reads the file

    owner = [place for place, text in enumerate(texts) for _ in text.split()]
    words = heard.split()
    parts: list[list[str]] = [[] for _ in texts]
    errors = [0] * len(texts)
    (chunks,) = jiwer.process_words([" ".join(texts)], [heard]).alignments
    for chunk in chunks:
        length = max(
            chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
        )
        for step in range(length):
            # An inserted word goes to the text of the word before it.
            inserted = chunk.type == "insert"
            reference = max(0, chunk.ref_start_idx - 1) if inserted else chunk.ref_start_idx + step
            errors[owner[reference]] += chunk.type != "equal"
            if chunk.type != "delete":
                parts[owner[reference]].append(words[chunk.hyp_start_idx + step])
    return [
        Heard(" ".join(part), wrong, len(text.split()))
        for part, wrong, text in zip(parts, errors, texts, strict=True)
    ]


if __name__ == "__main__":
    run_recipe(main)
