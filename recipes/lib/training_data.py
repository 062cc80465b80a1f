"""A table for a model card: the cuts that a run was trained on, by source, kind and licence."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from latentspeech.data.cuts import read_cuts

_KEYS = ("source", "kind", "kind_of_voice", "licence")


class _Row(NamedTuple):
    source: str
    kind: str
    voice: str
    licence: str


def training_data_table(cuts_path: Path) -> str:
    """Markdown; a recording that several cuts name counts once."""
    hours: dict[_Row, float] = defaultdict(float)
    speakers: dict[_Row, set[str]] = defaultdict(set)
    seen: set[str] = set()
    for cut in read_cuts(cuts_path):
        if cut.id in seen:
            continue
        seen.add(cut.id)
        spoken = cut.supervisions[0]
        custom = spoken.custom or {}
        row = _Row(*(str(custom.get(key) or "not stated") for key in _KEYS))
        hours[row] += cut.duration / 3600
        speakers[row].add(spoken.speaker or "")
    lines = [
        f"{len(seen)} recordings, {sum(hours.values()):.2f} hours:",
        "",
        "| source | kind | voice | speakers as named | hours | licence |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.source} | {row.kind} | {row.voice} | {len(speakers[row])} | {hours[row]:.2f} | "
        f"{row.licence} |"
        for row in sorted(hours)
    ]
    return "\n".join(lines)
