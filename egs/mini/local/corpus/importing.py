"""Takes the utterances of a corpus made elsewhere, so that its hours count."""

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

# Where a manifest has a recogniser's word error rate, clearly wrong readings stay behind.
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
    """Where the line has them, or the phonemes and their durations; else empty."""
    if "phonemes" in row and "durations" in row:
        return symbol_ends(row["phonemes"], row["durations"])
    return tuple(row.get("symbol_ends_s", ()))


def _rows(manifest: Path) -> dict[str, dict[str, Any]]:
    """All that the lines say, by id."""
    lines = manifest.read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line.strip()]
    return {row["id"]: row for row in rows}
