"""Lets espeak-ng say a few sentences, so that the recipe can be tried without recordings.

Scores on such synthetic speech say nothing about which codec is better.
"""

import argparse
import shutil
import subprocess
from pathlib import Path

from latentspeech.audio.io import audio_duration_s
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import InputError
from latentspeech.eval.scoring.lists import ListInfo, ListRow, write_list

VOICES = ("en-us", "en-gb")


def speak(text: str, voice: str, path: Path) -> None:
    """Writes one WAV file."""
    command = ["espeak-ng", "-v", voice, "-w", str(path), "--", text]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=Path, required=True, help="file, one sentence a line")
    parser.add_argument("--out", type=Path, required=True, help="list to write, .jsonl")
    parser.add_argument("--num", type=int, required=True)
    arguments = parser.parse_args()
    if shutil.which("espeak-ng") is None:
        raise InputError(
            "espeak-ng is not installed; install it (Debian: espeak-ng) or give --cuts"
        )
    lines: list[str] = arguments.sentences.read_text(encoding="utf-8").splitlines()
    sentences = lines[: arguments.num or None]
    folder: Path = arguments.out.parent / "audio"
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[ListRow] = []
    for place, text in enumerate(sentences):
        voice = VOICES[place % len(VOICES)]
        path = folder / f"sentence-{place:03d}.wav"
        speak(text, voice, path)
        row = ListRow(
            id=path.stem,
            reference_path=f"audio/{path.name}",
            transcript=text,
            speaker=voice,
            duration_s=round(audio_duration_s(path), 6),
        )
        rows.append(row)
    write_list(arguments.out, rows, ListInfo("espeak-ng", "sentences of egs/mini, two voices"))


if __name__ == "__main__":
    run_recipe(main)
