"""The token ids of a corpus's texts, made once for each shard and kept beside the latents.

Normalising a text takes more time than the rest of loading an utterance, and a long training loads
each utterance a hundred times. `tokens-<hash>/00000.npy` has one row of int32 for a shard of n
texts: the positions at which the ids of each text begin (n + 1 numbers), then all ids. The hash
covers the tokenizer's files and the code of latentspeech.text, so ids of another version are never
read.
"""

import hashlib
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import latentspeech.text
from latentspeech.core.data.file_lock import exclusive
from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.data.recent import Recent
from latentspeech.core.errors import InputError
from latentspeech.core.storage.files import atomic_path
from latentspeech.text.tokenizers import Tokenizer

logger = logging.getLogger(__name__)

_REMEDY = "expected a writable folder for token ids: copy the latents, or give them as file://"


class TokenizedTexts:
    """Token ids by utterance; it can be pickled, and all processes share each shard's file."""

    def __init__(self, shards: LatentShards, tokenizer: Tokenizer) -> None:
        self._shards = shards
        self._tokenizer = tokenizer
        self._folder = shards.local_folder / f"tokens-{_fingerprint(tokenizer)}"
        self._ids = Recent(self._read)

    def __getitem__(self, index: int) -> list[int] | None:
        """Returns the ids of an utterance; None if its text has nothing that can be spoken."""
        shard, place = divmod(index, self._shards.meta.shard_size)
        row = self._ids[shard]
        first, end = row[place : place + 2].tolist()
        return row[first:end].tolist() or None

    def _read(self, shard: int) -> Any:
        path = self._folder / f"{shard:05d}.npy"
        length = self._shards.meta.shard_length(shard)
        row = _load(path, length)
        if row is None:
            self._folder.mkdir(exist_ok=True)
            with exclusive(path.with_suffix(".lock"), _REMEDY):
                row = _load(path, length)  # another process may have written it meanwhile
                if row is None:
                    self._write(path, shard)
                    row = _load(path, length)
        return row

    def _write(self, path: Path, shard: int) -> None:
        texts = [item.text for item in self._shards.items(shard)]
        try:
            ids = self._tokenizer.encode_batch(texts)
        except InputError:
            ids = [self._encode(text) for text in texts]
            empty = sum(not row for row in ids)
            logger.warning(
                "%s, shard %d: %d of %d texts hold nothing that can be spoken; their utterances "
                "are trained without text",
                self._shards,
                shard,
                empty,
                len(texts),
            )
        ends = np.cumsum([len(texts) + 1, *map(len, ids)])
        row = np.concatenate([ends, *ids]).astype(np.int32)
        with atomic_path(path) as temporary:
            np.save(temporary, row)

    def _encode(self, text: str) -> list[int]:
        try:
            return self._tokenizer.encode(text)
        except InputError:
            return []


def _load(path: Path, length: int) -> Any:
    """Returns the memory-mapped row; None if it is missing or damaged."""
    try:
        row = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return row if len(row) > length and row[length] == len(row) else None


def _fingerprint(tokenizer: Tokenizer) -> str:
    digest = hashlib.sha256(type(tokenizer).__name__.encode())
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(Path(folder))
        files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        for path in [*files, *sorted(Path(latentspeech.text.__path__[0]).rglob("*.py"))]:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
