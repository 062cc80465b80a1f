"""Mozilla Common Voice 7.0 (Ardila et al. 2020, arXiv 1912.06670), one language or several.

    cv-corpus-7.0-2021-07-21/<language>/clips/<name>.mp3
    cv-corpus-7.0-2021-07-21/<language>/{validated,dev,test}.tsv    client_id, path, sentence, ...

Validated clips but those of dev and test, which are kept for who evaluates on them.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from egs.libriheavy.local.codec_mix.clip import Clip, first_existing
from latentspeech.core.errors import DataError

NAME = "common_voice"
LAYOUT = "<language>/validated.tsv and <language>/clips of Common Voice"


def clips(folder: Path) -> Iterator[Clip]:
    """The clips of the languages in `folder`, or of the one that it is."""
    languages = [folder] if (folder / "validated.tsv").is_file() else []
    languages = languages or sorted(path.parent for path in folder.glob("*/validated.tsv"))
    if not languages:
        first_existing(NAME, [folder / "validated.tsv", folder / "en/validated.tsv"], LAYOUT)
    for language in languages:
        held_out = _paths(language / "dev.tsv") | _paths(language / "test.tsv")
        for name in sorted(_paths(language / "validated.tsv") - held_out):
            yield Clip(f"{language.name}/{Path(name).stem}", language / "clips" / name)


def _paths(table: Path) -> set[str]:
    """The column `path`; empty if there is no such table."""
    if not table.is_file():
        return set()
    with table.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if "path" not in (rows.fieldnames or ()):
            raise DataError(f"{table} has no column 'path'; expected a table of Common Voice")
        return {row["path"] for row in rows if row["path"]}
