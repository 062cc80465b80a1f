"""Reads the lines of the mini corpus together with the terms of their sources."""

import json
from pathlib import Path
from typing import NamedTuple

from egs.mini.local.sources.terms import IMPORTED, SOURCE_TERMS, SourceTerms
from latentspeech.core.errors import DataError
from latentspeech.data.manifest import MANIFEST_NAME, CorpusUtterance, read_manifest


class Item(NamedTuple):
    """An utterance, further fields of its line, and the terms of its source."""

    utterance: CorpusUtterance
    kind: str
    native_rate_hz: int
    terms: SourceTerms


def read_items(corpus: Path) -> list[Item]:
    """The manifest's utterances, each with the terms of its source."""
    utterances = read_manifest(corpus)
    rows = {}
    for line in (corpus / MANIFEST_NAME).read_text(encoding="utf-8").split("\n"):
        if line.strip():
            row = json.loads(line)
            rows[row["id"]] = (row.get("kind", "speech"), row.get("native_rate_hz", 24000))
    terms = {**SOURCE_TERMS, "imported": IMPORTED}
    unknown = sorted({item.source for item in utterances} - terms.keys())
    if unknown:
        raise DataError(
            f"{corpus} has utterances of source {', '.join(unknown)}, of which sources/terms.py "
            "says nothing; expected a line there with its use and the reason"
        )
    return [Item(item, *rows[item.id], terms[item.source]) for item in utterances]
