"""Small corpora of pages on disk in every layout that a source reads, for tests."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.tiny_pictures import encoded

TEXTS = ("A first page.", "Eine zweite Seite: \u00e4\u00f6\u00fc.", "", "\u7b2c\u56db")


def make_pictures(folder: Path, count: int = 4) -> Path:
    """NUMBER.png, and the same pictures as downloads of https://example.org/NUMBER.png."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number}.png").write_bytes(encoded(number))
        digest = hashlib.sha256(url(number).encode()).hexdigest()
        (folder / digest).write_bytes(encoded(number))
    return folder


def url(number: int) -> str:
    return f"https://example.org/{number}.png"


def write_lines(folder: Path, rows: Sequence[dict[str, Any]], name: str = "0.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (folder / name).write_text("".join(lines), encoding="utf-8")
    return folder


def write_parquet(
    folder: Path, columns: dict[str, list[Any]], row_group_size: int = 2, name: str = "0.parquet"
) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / name, row_group_size=row_group_size)
    return folder
