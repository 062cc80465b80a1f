"""The lists of seed-tts-eval (Anastassiou et al., 2024, arXiv 2406.02430): `meta.lst`.

The columns, separated by `|`, are id, text of the prompt, prompt audio, text to speak and, in some
lists, its recording. Paths are relative to the list's folder. Without the fifth column the
recording is `wavs/<id>.wav` if it exists. An id may end in .wav, which is removed.
"""

from pathlib import Path

from latentspeech.core.errors import DataError
from latentspeech.eval.protocols.testset import (
    Options,
    ProtocolList,
    finish,
    measured,
    refuse_options,
)
from latentspeech.eval.scoring.lists import ListRow

NAME = "seed-tts-eval"


def seed_tts_eval(corpus: Path, options: Options) -> ProtocolList:
    """Reads the list (`--from`, or meta.lst in the folder `corpus`), in its order."""
    refuse_options(NAME, options, "source")
    source = options.source or corpus / "meta.lst"
    try:
        lines = source.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{source} cannot be read ({error}); expected seed-tts-eval's list"
        ) from None
    missing: dict[str, str] = {}
    rows: list[ListRow] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) not in (4, 5):
            raise DataError(
                f"{source} line {number} has {len(cells)} columns; expected four or five: id, "
                "prompt text, prompt audio, text, recording"
            )
        identifier = cells[0].removesuffix(".wav")
        recording = cells[4] if len(cells) == 5 else _recording(corpus, identifier)
        problems: dict[str, str] = {}
        measured(corpus / cells[2], identifier, problems)
        length_s = None
        if recording is not None:
            length_s = measured(corpus / recording, identifier, problems)
        if problems:
            missing[identifier] = "; ".join(problems.values())
            continue
        row = ListRow(
            id=identifier,
            reference_path=recording,
            prompt_path=cells[2],
            transcript=cells[3],
            prompt_text=cells[1],
            duration_s=None if length_s is None else round(length_s, 6),
        )
        rows.append(row)
    rule = f"{source.name} of seed-tts-eval, in its order"
    return finish(NAME, rule, str(corpus.resolve()), rows, missing)


def _recording(corpus: Path, identifier: str) -> str | None:
    path = f"wavs/{identifier}.wav"
    return path if (corpus / path).is_file() else None
