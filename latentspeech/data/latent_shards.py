"""The latents of a corpus on disk: means of the codec's posterior, in shards keyed by cut id.

    meta.json                   which codec and cuts, sizes, posterior (`LatentMeta`)
    latents-00000.safetensors   cut id -> mu (T, D), in meta's dtype
    latents-00000.jsonl         an item a line; written last, so it marks the shard as complete
    stats.safetensors           mean, std (D,) and count of z over all items (extract_latents.py)

Every file appears whole or not at all. T frames, D latent dimension.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.files import atomic_path, write_json

SCHEMA_VERSION = 1
# An open shard holds a file descriptor or a mapping, of which a process has about a thousand.
_MAX_OPEN_SHARDS = 64


class LatentMeta(Config):
    """What latents were made from, and how they are stored."""

    schema_version: int = Field(SCHEMA_VERSION, description="of this folder's layout")
    codec_hash: str = Field(description="of the codec's weights (codec/model_directory.py)")
    cuts_hash: str = Field(description="of the cuts' text")
    latent_dim: int = Field(ge=1, description="channels of a latent")
    sample_rate: int = Field(ge=1, description="of the codec, Hz")
    hop_length: int = Field(ge=1, description="samples a latent")
    posterior_kind: Literal["per_example", "fixed"] = Field(description="of the codec's sigma")
    sigma_std: float = Field(ge=0, description="sqrt of E[sigma^2] of the codec's posterior")
    dtype: Literal["float16", "float32"] = Field("float16", description="of the stored means")
    shard_size: int = Field(ge=1, description="cuts a shard")
    num_cuts: int = Field(ge=1, description="cuts in all")
    remake_command: str = Field(description="makes what is missing or damaged, and only that")

    @property
    def frame_rate(self) -> float:
        """Latents a second, Hz."""
        return self.sample_rate / self.hop_length

    @property
    def num_shards(self) -> int:
        """Shards in all."""
        return -(-self.num_cuts // self.shard_size)

    def num_items(self, shard: int) -> int:
        """Utterances of a shard; all are full but the last."""
        return min(self.shard_size, self.num_cuts - shard * self.shard_size)


class LatentItem(NamedTuple):
    """One utterance."""

    id: str
    speaker: str
    text: str
    num_latents: int
    duration_s: float
    symbol_ends_s: Sequence[float] = ()  # where known


class LatentShardWriter:
    """Writes the shards of one corpus; a folder begun earlier with the same meta is continued."""

    def __init__(self, directory: Path, meta: LatentMeta) -> None:
        self.directory = directory
        self.meta = meta
        directory.mkdir(parents=True, exist_ok=True)
        if (directory / "meta.json").exists():
            _check_same(directory, read_meta(directory), meta)
        else:
            write_json(directory / "meta.json", meta.model_dump() | {"frame_rate": meta.frame_rate})

    def is_complete(self, shard: int) -> bool:
        """Whether the shard is there, undamaged."""
        try:
            items = _read_items(self.directory, shard, self.meta)
            with _open_shard(self.directory, shard, self.meta.remake_command) as file:
                return {item.id for item in items} == set(file.keys())
        except DataError:
            return False

    def write(self, shard: int, items: list[LatentItem], latents: Mapping[str, Tensor]) -> None:
        """Stores the means (T, D) of these items under their ids, replacing what there was."""
        weights, index = shard_paths(self.directory, shard)
        dtype: torch.dtype = getattr(torch, self.meta.dtype)
        stored = {item.id: latents[item.id].to("cpu", dtype).contiguous() for item in items}
        for name, mu in stored.items():
            if not bool(mu.isfinite().all()):
                raise DataError(
                    f"the codec gives NaN or infinite {self.meta.dtype} latents for cut {name}; "
                    "expected finite ones: check the codec, or leave the cut out"
                )
        (self.directory / "stats.safetensors").unlink(missing_ok=True)
        index.unlink(missing_ok=True)
        with atomic_path(weights) as temporary:
            save_file(stored, temporary)
        lines = [json.dumps(item._asdict(), ensure_ascii=False) + "\n" for item in items]
        with atomic_path(index) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")


class LatentShards:
    """Reads a folder of shards; shards are mapped when first used, and it can be pickled."""

    def __init__(self, directory: Path, expected_codec_hash: str | None = None) -> None:
        """Raises DataError where shards are missing or damaged or of another codec."""
        self.directory = directory
        self.meta = read_meta(directory)
        if expected_codec_hash not in (None, self.meta.codec_hash):
            raise DataError(
                f"{directory} holds latents of codec {self.meta.codec_hash}; expected codec "
                f"{expected_codec_hash}: give the codec that made them, or extract them again "
                "into another folder"
            )
        self.items: list[LatentItem] = []
        for shard in range(self.meta.num_shards):
            self.items += _read_items(directory, shard, self.meta)
        self._index_by_id = {item.id: index for index, item in enumerate(self.items)}
        self._open: OrderedDict[int, Any] = OrderedDict()

    def load(self, key: int | str) -> Tensor:
        """The means (T, D) float32 of an item, by index in `items` or by cut id."""
        index = self._index_by_id[key] if isinstance(key, str) else range(len(self.items))[key]
        item = self.items[index]
        shard = index // self.meta.shard_size
        try:
            mu: Tensor = self._shard(shard).get_tensor(item.id)
        except SafetensorError as error:
            weights, _ = shard_paths(self.directory, shard)
            raise _damaged(weights, str(error), self.meta.remake_command) from None
        if mu.shape != (item.num_latents, self.meta.latent_dim):
            weights, index_path = shard_paths(self.directory, shard)
            raise _damaged(
                weights,
                f"cut {item.id} has shape {tuple(mu.shape)}, {index_path.name} and meta.json "
                f"promise {(item.num_latents, self.meta.latent_dim)}",
                self.meta.remake_command,
            )
        return mu.float()

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and std (D,) of sampled latents z, float32."""
        path = self.directory / "stats.safetensors"
        try:
            stats = load_file(path)
            return stats["mean"].float(), stats["std"].float()
        except (SafetensorError, OSError, KeyError) as error:
            raise _damaged(path, str(error), self.meta.remake_command) from None

    def __getstate__(self) -> dict[str, Any]:
        # Mappings cannot be pickled; a loader process opens its own.
        return self.__dict__ | {"_open": OrderedDict()}

    def _shard(self, shard: int) -> Any:
        if shard not in self._open:
            self._open[shard] = _open_shard(self.directory, shard, self.meta.remake_command)
            if len(self._open) > _MAX_OPEN_SHARDS:
                self._open.popitem(last=False)
        self._open.move_to_end(shard)
        return self._open[shard]


def read_meta(directory: Path) -> LatentMeta:
    """The folder's meta.json. Raises DataError if it is no folder of latents."""
    path = directory / "meta.json"
    if not path.is_file():
        raise DataError(
            f"{directory} is not a folder of latents: meta.json is missing; extract latents first"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values["schema_version"]
        values.pop("frame_rate")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} is damaged ({type(error).__name__}); remove the folder and extract again"
        ) from None
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path} has schema version {version}; this version reads {SCHEMA_VERSION}: extract "
            "the latents again"
        )
    try:
        return parse_config(LatentMeta, values, origin=str(path))
    except ConfigError as error:
        raise DataError(f"{error}; remove the folder and extract the latents again") from None


def shard_paths(directory: Path, shard: int) -> tuple[Path, Path]:
    """The latents and the item list of a shard."""
    stem = f"latents-{shard:05d}"
    return directory / f"{stem}.safetensors", directory / f"{stem}.jsonl"


def _open_shard(directory: Path, shard: int, remake_command: str) -> Any:
    """The mapped shard; opening compares the header's sizes with the file's."""
    path, _ = shard_paths(directory, shard)
    try:
        return safe_open(path, "pt")
    except (SafetensorError, OSError) as error:
        raise _damaged(path, str(error), remake_command) from None


def _read_items(directory: Path, shard: int, meta: LatentMeta) -> list[LatentItem]:
    """The item list of a shard; both its files must be there and every item listed."""
    weights, path = shard_paths(directory, shard)
    if not weights.is_file():
        raise _damaged(weights, "no such file", meta.remake_command)
    try:
        with path.open(encoding="utf-8") as file:
            items = [_item(json.loads(line)) for line in file]
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path, str(error), meta.remake_command) from None
    if len(items) != meta.num_items(shard):
        reason = f"it lists {len(items)} items, expected {meta.num_items(shard)}"
        raise _damaged(path, reason, meta.remake_command)
    return items


def _item(row: dict[str, Any]) -> LatentItem:
    # Folders of an earlier version have no times.
    return LatentItem(**row | {"symbol_ends_s": tuple(row.get("symbol_ends_s", ()))})


def _damaged(path: Path, reason: str, remake_command: str) -> DataError:
    return DataError(
        f"{path} is missing, truncated or damaged ({reason}); make it again with: {remake_command}"
    )


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
