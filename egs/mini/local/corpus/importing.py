"""Copies the utterances of a corpus made before, so that they count towards the hours asked for."""

import json
import logging
from pathlib import Path
from typing import Any

from egs.mini.local.corpus.writer import CorpusWriter
from egs.mini.local.sources.symbol_times import symbol_ends
from latentspeech.audio.io import load_audio
from latentspeech.core.errors import InputError
from latentspeech.data.manifest import MANIFEST_NAME, read_manifest

logger = logging.getLogger(__name__)

# An utterance whose stated word error rate is higher than this is left out.
_MAX_WER = 0.25
_UNSTATED = "as stated by the imported corpus"


def import_corpus(folder: Path, writer: CorpusWriter, max_hours: float) -> int:
    """Copies utterances as 24 kHz FLAC until `max_hours` are there; returns how many were added."""
    utterances = read_manifest(folder, default_licence=_UNSTATED)
    rows = _rows(folder / MANIFEST_NAME)
    added = wrong = unreadable = 0
    for utterance in utterances:
        if writer.hours >= max_hours:
            break
        if utterance.id in writer.ids:
            continue
        theirs = rows[utterance.id]
        if isinstance(rate := theirs.get("wer"), int | float) and rate > _MAX_WER:
            wrong += 1
            continue
        try:
            audio = load_audio(folder / utterance.audio, 24000)
        except InputError as error:
            logger.warning("left out: %s", error)
            unreadable += 1
            continue
        own = utterance.licence != _UNSTATED
        row: dict[str, Any] = {
            "id": utterance.id,
            "speaker": utterance.speaker,
            "text": utterance.text,
            "source": utterance.source if own else "imported",
            "licence": utterance.licence,
            "kind": theirs.get("kind", "speech"),
            "native_rate_hz": theirs.get("native_rate_hz", 24000),
        }
        if ends := _symbol_ends(theirs):
            row["symbol_ends_s"] = ends
        added += writer.add(audio, 24000, row)
    logger.info(
        "imported %d utterances of %d (%d misread, %d unreadable left out)",
        added,
        len(utterances),
        wrong,
        unreadable,
    )
    return added


def _symbol_ends(row: dict[str, Any]) -> tuple[float, ...]:
    """The line's own times, or those of its phonemes and durations; empty if it has neither."""
    if "phonemes" in row and "durations" in row:
        return symbol_ends(row["phonemes"], row["durations"])
    return tuple(row.get("symbol_ends_s", ()))


def _rows(manifest: Path) -> dict[str, dict[str, Any]]:
    """All fields of each line, by id."""
    lines = manifest.read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line.strip()]
    return {row["id"]: row for row in rows}
