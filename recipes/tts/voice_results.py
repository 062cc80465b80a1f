"""Writes the section of RESULTS.md on a voice: its scores, sweep of settings and stop failures.

Each part is the Markdown that its program wrote, with the command that repeats it.
"""

import argparse
import re
import shutil
from pathlib import Path

from latentspeech.core.command import run_recipe
from recipes.lib.results_file import write_section


def part(path: Path, title: str) -> str:
    """A program's Markdown as a part of the section, under a title."""
    text = re.sub(r"^# .*\n+", "", path.read_text(encoding="utf-8"))
    return f"### {title}\n\n{text.strip()}\n"


def with_picture(text: str, picture: Path, results: Path) -> str:
    """Copies a picture beside the results and makes the text point to it."""
    kept = results.parent / "results" / f"voice_{picture.name}"
    kept.parent.mkdir(exist_ok=True)
    shutil.copyfile(picture, kept)
    return text.replace(f"({picture.name})", f"({kept.relative_to(results.parent).as_posix()})")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, required=True, help="folder of score_test")
    parser.add_argument("--sweep", type=Path, required=True, help="folder of tts.sweep.sampling")
    parser.add_argument("--stops", type=Path, required=True, help="folder of stop_test.stops")
    parser.add_argument("--long_text", type=Path, required=True, help="folder of long_texts")
    parser.add_argument("--note", default="", help="what a reader should know first")
    parser.add_argument("--results", type=Path, required=True, help="RESULTS.md to write into")
    arguments = parser.parse_args()
    sweep = part(arguments.sweep / "sweep.md", "Sampling settings")
    parts = [
        f"## The default voice\n\n{arguments.note}\n",
        part(arguments.scores / "scores.md", "Scores"),
        with_picture(sweep, arguments.sweep / "sweep.png", arguments.results),
        part(arguments.stops / "stops.md", "Stops"),
        part(arguments.long_text / "long_text.md", "Long text"),
    ]
    write_section(arguments.results, "default voice", "\n".join(parts))
    print(f"{arguments.results}: section written")


if __name__ == "__main__":
    run_recipe(main)
