"""Has the captions of pairs spoken by a voice that ships, and makes pages of them.

Of every three pairs the first becomes a page text, picture, speech; the second a picture that is
described aloud; the third speech that is written down. Equal captions share a recording. A
recording that is there already stays, so a killed call goes on.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import latentspeech
from latentspeech.core.command import run_recipe
from recipes.lib.progress_log import ProgressLog
from recipes.mllm.page_set import SPLITS, write_pages
from recipes.mllm.speech.folders import SPEECH, SPOKEN

_AT_ONCE = 16


def read_pairs(pages: Path, split: str) -> Iterator[tuple[str, str]]:
    """The pictures and captions of a split."""
    for file in sorted((pages / split / "pairs").glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["caption"].strip():
                yield row["picture"], row["caption"]


def recording_of(split: str, caption: str) -> str:
    """The name of the recording of a caption."""
    return f"{split}/{hashlib.sha256(caption.encode()).hexdigest()[:16]}.wav"


def spoken_rows(split: str, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The lines of spoken pages, in the three orders."""
    rows = []
    for number, (picture, caption) in enumerate(pairs):
        shown, text = {"picture": picture}, {"text": caption}
        said = {"speech": recording_of(split, caption)}
        rows.append({"parts": [[text, shown, said], [shown, said], [said, text]][number % 3]})
    return rows


def speak_captions(pages: Path, voice: str) -> None:
    """Writes the recordings and the pages of both splits."""
    speaker = latentspeech.load()
    for split in SPLITS:
        pairs = list(read_pairs(pages, split))
        files = {text: pages / SPEECH / recording_of(split, text) for _, text in pairs}
        missing = [text for text, file in files.items() if not file.exists()]
        (pages / SPEECH / split).mkdir(parents=True, exist_ok=True)
        progress = ProgressLog(f"captions of {split}", "recordings")
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            spoken = speaker.synthesize_batch(some, [voice] * len(some), [0] * len(some))
            for text, audio in zip(some, spoken, strict=True):
                audio.save(files[text])
            progress(start + len(some), len(missing))
        write_pages(pages, split, SPOKEN, spoken_rows(split, pairs))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, required=True, help="folder of the pages")
    parser.add_argument("--voice", default="heart", help="name of a voice that ships")
    arguments = parser.parse_args()
    speak_captions(arguments.pages, arguments.voice)


if __name__ == "__main__":
    run_recipe(main)
