"""LibriTTS test-other (Zen et al., 2019, arXiv 1904.02882) for codecs, whole or a random subset.

The layout is `<part>/<speaker>/<chapter>/<speaker>_<chapter>_<paragraph>_<sentence>.wav` with the
text in `.normalized.txt` beside it and `<speaker>_<chapter>.trans.tsv` (id, original, normalised)
for the chapter. LibriTTS-R has the same layout without some of the files. Utterances that only a
trans.tsv names are reported as missing. Texts are the normalised ones; some utterances have none.
"""

import hashlib
from pathlib import Path

from latentspeech.eval.protocols.librispeech import find_part, read_sexes
from latentspeech.eval.protocols.testset import (
    Options,
    ProtocolList,
    finish,
    measured,
    refuse_options,
)
from latentspeech.eval.scoring.lists import ListRow

NAME = "libritts-test-other"


def libritts_test_other(corpus: Path, options: Options) -> ProtocolList:
    """Lists all utterances by id, or the `num` utterances with the smallest hash of seed and id."""
    refuse_options(NAME, options, "num", "seed")
    part = find_part(corpus, "test-other", "*/*/*.wav")
    sexes = read_sexes(part.parent)
    folders = {path.stem: path.parent for path in part.glob("*/*/*.wav")}
    for table in part.glob("*/*/*.trans.tsv"):
        for line in table.read_text(encoding="utf-8").split("\n"):
            identifier = line.partition("\t")[0].strip()
            if identifier:
                folders.setdefault(identifier, table.parent)
    chosen = sorted(folders)
    rule = "test-other, all utterances by id"
    if options.num:
        ranked = sorted(chosen, key=lambda identifier: _rank(identifier, options.seed))
        chosen = sorted(ranked[: options.num])
        rule = (
            f"test-other, the {options.num} utterances with the smallest SHA-256 of "
            f"'{options.seed}/<id>', by id"
        )
    missing: dict[str, str] = {}
    rows = [_row(part, folders[name], name, sexes, missing) for name in chosen]
    present = [row for row in rows if row is not None]
    return finish(NAME, rule, str(part.resolve()), present, missing)


def _row(
    part: Path, folder: Path, identifier: str, sexes: dict[str, str], missing: dict[str, str]
) -> ListRow | None:
    path = folder / f"{identifier}.wav"
    duration_s = measured(path, identifier, missing)
    if duration_s is None:
        return None
    speaker = identifier.split("_")[0]
    text = folder / f"{identifier}.normalized.txt"
    return ListRow(
        id=identifier,
        reference_path=path.relative_to(part).as_posix(),
        transcript=text.read_text(encoding="utf-8").strip() if text.is_file() else None,
        speaker=speaker,
        sex=sexes.get(speaker),
        duration_s=round(duration_s, 6),
    )


def _rank(identifier: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{identifier}".encode()).digest()
