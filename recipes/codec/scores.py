"""Scores of a codec's copies for its model card, from result folders of recipes.codec.check.

As a program it prints them as a section for the end of a page of the docs.
"""

import argparse
import json
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from latentspeech.codec.model_directory import decoder_names, decoding_hash
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import CheckpointError, ConfigError
from recipes.lib.result_folder import KEY_NAME
from recipes.lib.results_file import read_table

ORIGINALS_HEADING = "Beside the originals:"


@dataclass(frozen=True)
class CodecScores:
    """One table of scores and how it was measured."""

    heading: str
    folder: Path
    table: str  # Markdown
    command: str  # the command that measured it
    made_on: str  # commit, date, hardware
    made_with: str  # hash of the codec

    def to_markdown(self) -> str:
        """Heading, table and the command that measures it again."""
        return (
            f"### {self.heading}\n\n{self.table.rstrip()}\n\n"
            f"Measured on {self.made_on}; again by\n\n```bash\n{self.command}\n```"
        )


def read_scores(text: str) -> list[CodecScores]:
    """Reads scores.md and scores.json of [HEADING=]FOLDER, or of each group's folder in it."""
    heading, _, name = text.rpartition("=")
    folder = Path(name)
    groups = sorted(path.parent for path in folder.glob("*/scores.json"))
    if (folder / "scores.json").is_file() or not groups:
        return [_read(folder, heading or folder.name)]
    return [_read(path, f"{heading}: {path.name}" if heading else path.name) for path in groups]


def _read(folder: Path, heading: str) -> CodecScores:
    table, report = folder / "scores.md", folder / "scores.json"
    if not (table.is_file() and report.is_file()):
        raise ConfigError(
            f"{folder} has no scores.md and scores.json; give a folder that recipes.codec.check "
            "wrote"
        )
    run = json.loads(report.read_text(encoding="utf-8"))["run"]
    made_on = f"{run['hardware']}, {run['date'][:10]}, commit {run['commit']}"
    command = _from_here(run["command"], folder)
    return CodecScores(heading, folder, _tables(table), command, made_on, _made_with(folder))


def _tables(path: Path) -> str:
    """The table of all copies, and the one of copies beside originals if there is one."""
    _, _, beside = path.read_text(encoding="utf-8").partition(f"\n{ORIGINALS_HEADING}\n")
    found = read_table(path)
    return f"{found}\n{ORIGINALS_HEADING}\n\n{beside.strip()}\n" if beside else found


def check_scores(scores: CodecScores, codec_dir: Path, place: Path) -> CodecScores:
    """The scores with a command that names `place`, where the codec in `codec_dir` will be.

    Raises CheckpointError unless the scored copies were made with this codec and one of its
    decoders.
    """
    further = decoder_names(codec_dir)
    hashes = {decoding_hash(codec_dir, name): name for name in (None, *further)}
    if scores.made_with not in hashes:
        raise CheckpointError(
            f"{scores.folder} holds scores of codec {scores.made_with}, this one is "
            f"{decoding_hash(codec_dir)} and has further decoders "
            f"{', '.join(further) or 'none'}; run recipes.codec.check with it"
        )
    decoder = hashes[scores.made_with]
    words = shlex.split(scores.command)
    for option, value in (("--codec", str(place)), ("--decoder", decoder)):
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
        if value is not None:
            words += [option, value]
    return replace(scores, command=shlex.join(words))


def _made_with(folder: Path) -> str:
    # The folder of a group lies in that of the check.
    paths = [path / KEY_NAME for path in (folder, folder.parent)]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise CheckpointError(
            f"{folder} does not say which codec made its copies ({KEY_NAME} is missing); run "
            "recipes.codec.check again"
        )
    return str(json.loads(path.read_text(encoding="utf-8")).get("codec_hash"))


def _from_here(command: str, folder: Path) -> str:
    """The command as typed in the root of the repository, with relative paths."""
    words = shlex.split(command)[1:]  # the program is recipes.codec.check
    # Paths stand alone or behind a group's name.
    here = re.compile(rf"(^|=){re.escape(str(Path.cwd()))}/")
    words = [here.sub(r"\1", word) for word in words]
    absolute = [word for word in words if re.search(r"(^|=)/", word)]
    if absolute:
        raise ConfigError(
            f"the command of {folder} names {absolute[0]}, which is nobody else's path; measure "
            "again with paths below the repository"
        )
    return shlex.join(["python", "-m", "recipes.codec.check", *words])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", type=Path, required=True, help="the scored model directory")
    parser.add_argument(
        "--scores",
        nargs="+",
        required=True,
        metavar="[HEADING=]FOLDER",
        help="result folders of recipes.codec.check, made with this codec",
    )
    arguments = parser.parse_args()
    print("\n## Scores")
    for score in (score for text in arguments.scores for score in read_scores(text)):
        print(f"\n{check_scores(score, arguments.codec, arguments.codec).to_markdown()}")


if __name__ == "__main__":
    run_recipe(main)
