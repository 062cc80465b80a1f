"""The latents of a corpus on disk: means of a sigma-VAE's posterior, in shards (latent_format.py).

Every file appears whole or not at all. A reader opens a shard when it is needed and keeps only the
most recently used ones, so it takes the same memory for a corpus of any size. Every loader process
reads for itself.

T latents, D latent dimension.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from latentspeech.core.data.file_store import FileStore, LocalCacheConfig, LocalFolder, open_store
from latentspeech.core.data.latent_format import (
    LatentItem,
    LatentMeta,
    item_line,
    parse_item,
    read_meta,
    shard_names,
)
from latentspeech.core.data.recent import Recent
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import atomic_path, write_json

logger = logging.getLogger(__name__)


class DamagedShardError(DataError):
    """A file of a shard is missing, truncated or damaged; a second attempt would not help."""


class LatentShardWriter:
    """Writes the shards of one corpus; a folder begun earlier with the same meta is continued."""

    def __init__(self, directory: Path, meta: LatentMeta) -> None:
        self.directory = directory
        self.meta = meta
        directory.mkdir(parents=True, exist_ok=True)
        if (directory / "meta.json").exists():
            _check_same(directory, read_meta(directory), meta)
        else:
            write_json(directory / "meta.json", meta.model_dump())

    def is_complete(self, shard: int) -> bool:
        """Whether the shard exists and is undamaged."""
        files = _ShardFiles(LocalFolder(self.directory), self.meta)
        try:
            listed = {item.id for item in files.read_list(shard) if item.num_latents}
            return listed == set(files.open_weights(shard).keys())
        except DataError:
            return False

    def write(self, shard: int, items: list[LatentItem], latents: Mapping[str, Tensor]) -> None:
        """Stores the means (T, D) of these items under their ids and replaces an older shard.

        Items without latents are only listed.
        """
        weights, index = (self.directory / name for name in shard_names(shard))
        dtype: torch.dtype = getattr(torch, self.meta.dtype)
        stored = {
            item.id: latents[item.id].to("cpu", dtype).contiguous()
            for item in items
            if item.num_latents
        }
        for name, mu in stored.items():
            if not bool(mu.isfinite().all()):
                raise DataError(
                    f"{name} has NaN or infinite {self.meta.dtype} latents; expected finite ones: "
                    "check the model that made them, or leave it out"
                )
        (self.directory / "stats.safetensors").unlink(missing_ok=True)
        index.unlink(missing_ok=True)
        with atomic_path(weights) as temporary:
            save_file(stored, temporary)
        with atomic_path(index) as temporary:
            temporary.write_text("".join(map(item_line, items)), encoding="utf-8")


class LatentShards:
    """Reads a folder of shards, or a URL of one. The object can be pickled.

    Items are numbered through the whole corpus: `index // shard_size` is the shard. A shard that is
    missing or damaged raises DataError with the command that makes it again. With `skip_bad` there
    is a warning instead: `shards` leaves out a missing shard, and `items` returns an empty list for
    a shard whose list is damaged. A failure of the storage is always an error, because all
    processes must find the same shards.
    """

    def __init__(
        self,
        location: str | Path,
        expected_vae_hash: str | None = None,
        cache: LocalCacheConfig | None = None,
        skip_bad: bool = False,
    ) -> None:
        """Raises DataError if shards are missing or of another VAE."""
        store = open_store(location, cache)
        self.meta = read_meta(store)
        self._files = _ShardFiles(store, self.meta)
        self._skip_bad = skip_bad
        self._lists = Recent(self._files.read_list)
        self._weights = Recent(self._files.open_weights)
        if expected_vae_hash not in (None, self.meta.vae_hash):
            raise DataError(
                f"{location} holds latents of the VAE {self.meta.vae_hash}; expected "
                f"{expected_vae_hash}: give the model that made them, or extract them again "
                "into another folder"
            )
        self.shards = self._present()

    def __str__(self) -> str:
        return str(self._files.store)

    @property
    def local_folder(self) -> Path:
        """The folder itself or its local copy; files derived from the shards may be kept there."""
        return self._files.store.local_folder

    def items(self, shard: int) -> list[LatentItem]:
        """All items of a shard; item k has index `shard * shard_size + k`."""
        try:
            return list(self._lists[shard])
        except DamagedShardError as error:
            if not self._skip_bad:
                raise
            count = self.meta.shard_length(shard)
            logger.warning("%d items of a damaged shard are left out: %s", count, error)
            return []

    def item(self, index: int) -> LatentItem:
        """One item."""
        shard, place = self._place(index)
        return self._lists[shard][place]

    def load(self, index: int) -> Tensor:
        """The means (T, D) of an item, in the dtype they are stored in."""
        item, (shard, _) = self.item(index), self._place(index)
        try:
            mu: Tensor = self._weights[shard].get_tensor(item.id)
        except SafetensorError as error:
            raise self._files.damaged(shard_names(shard)[0], str(error)) from None
        if mu.shape != (item.num_latents, self.meta.latent_dim):
            weights, index_name = shard_names(shard)
            raise self._files.damaged(
                weights,
                f"{item.id} has shape {tuple(mu.shape)}, {index_name} and meta.json "
                f"promise {(item.num_latents, self.meta.latent_dim)}",
            )
        return mu

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and std (D,) of sampled latents z, float32."""
        name = "stats.safetensors"
        try:
            stats = self._files.store.read(name, load_file)
            return stats["mean"].float(), stats["std"].float()
        except (SafetensorError, OSError, KeyError) as error:
            raise self._files.damaged(name, str(error)) from None

    def _present(self) -> list[int]:
        """The shards whose files exist, from one listing of the folder."""
        names = self._files.store.names()
        everything = range(self.meta.num_shards)
        missing = {
            shard: name for shard in everything for name in shard_names(shard) if name not in names
        }
        if not missing:
            return list(everything)
        name = min(missing.values())
        reason = f"no such file; {len(missing)} of {len(everything)} shards are missing"
        if not self._skip_bad or len(missing) == len(everything):
            raise self._files.damaged(name, reason)
        count = sum(map(self.meta.shard_length, missing))
        logger.warning(
            "%s: %s, and %d items with them (first %s)",
            self._files.store,
            reason,
            count,
            name,
        )
        return [shard for shard in everything if shard not in missing]

    def _place(self, index: int) -> tuple[int, int]:
        return divmod(range(self.meta.num_items)[index], self.meta.shard_size)


class _ShardFiles:
    """Opens the two files of a shard; if that fails, its error says how to make them again."""

    def __init__(self, store: FileStore, meta: LatentMeta) -> None:
        self.store = store
        self._meta = meta

    def read_list(self, shard: int) -> "_ItemList":
        """Reads the item list and checks that it is complete."""
        _, name = shard_names(shard)
        try:
            lines = self.store.read(name, Path.read_bytes).splitlines()
        except OSError as error:
            raise self.damaged(name, str(error)) from None
        found = _ItemList(lines, partial(self.damaged, name))
        expected = self._meta.shard_length(shard)
        if len(found) != expected:
            raise self.damaged(name, f"it lists {len(found)} items, expected {expected}")
        found[-1]  # a truncated file ends in half a line, which cannot be parsed
        return found

    def open_weights(self, shard: int) -> Any:
        """Maps the latents into memory; this compares the header's sizes with the file's."""
        name, _ = shard_names(shard)
        try:
            return self.store.read(name, lambda path: safe_open(path, "pt"))
        except (SafetensorError, OSError) as error:
            raise self.damaged(name, str(error)) from None

    def damaged(self, name: str, reason: str) -> DamagedShardError:
        """An error that names the file and the command that makes it again."""
        return DamagedShardError(
            f"{self.store.where(name)} is missing, truncated or damaged ({reason}); make it "
            f"again with: {self._meta.remake_command}"
        )


class _ItemList(Sequence[LatentItem]):
    """The lines of an item list; a line is parsed whenever its item is needed.

    So a process that needs a few items of many shards keeps text, not objects.
    """

    def __init__(self, lines: list[bytes], damaged: Callable[[str], DataError]) -> None:
        self._lines = lines
        self._damaged = damaged

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, place: Any) -> Any:
        try:
            return parse_item(self._lines[place])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._damaged(str(error)) from None


def _check_same(directory: Path, found: LatentMeta, wanted: LatentMeta) -> None:
    differing = [
        f"{name} {getattr(found, name)} (now {getattr(wanted, name)})"
        for name in LatentMeta.model_fields
        if name != "remake_command" and getattr(found, name) != getattr(wanted, name)
    ]
    if differing:
        raise DataError(
            f"{directory} holds latents of another extraction: {', '.join(differing)}; remove the "
            "folder or give another one"
        )
