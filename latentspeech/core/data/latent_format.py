"""What a folder of latent shards is: its meta.json, its items and the names of its files.

    meta.json                   which codec and cuts, sizes, posterior (`LatentMeta`)
    latents-00000.safetensors   cut id -> mu (T, D), in meta's dtype
    latents-00000.jsonl         an item a line; written last, so it marks the shard as complete
    stats.safetensors           mean, std (D,) and count of z over all items (extract_latents.py)

An utterance without latents is one whose audio could not be read. T frames, D latent dimension.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from latentspeech.core.config import Config, parse_config
from latentspeech.core.data.file_store import FileStore, open_store
from latentspeech.core.errors import ConfigError, DataError

SCHEMA_VERSION = 1


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


def parse_item(line: str | bytes) -> LatentItem:
    """An item of a list; ValueError or TypeError if it is none."""
    row: dict[str, Any] = json.loads(line)
    # Folders of an earlier version have no times.
    return LatentItem(**row | {"symbol_ends_s": tuple(row.get("symbol_ends_s", ()))})


def read_meta(location: str | Path | FileStore) -> LatentMeta:
    """The folder's meta.json. Raises DataError if it is no folder of latents."""
    store = open_store(location) if isinstance(location, str | Path) else location
    where = store.where("meta.json")
    try:
        text = store.read("meta.json", Path.read_bytes)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"{store} is not a folder of latents: meta.json is missing; extract latents first"
        ) from None
    try:
        values = json.loads(text)
        version = values["schema_version"]
        values.pop("frame_rate")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{where} is damaged ({type(error).__name__}); remove the folder and extract again"
        ) from None
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{where} has schema version {version}; this version reads {SCHEMA_VERSION}: extract "
            "the latents again"
        )
    try:
        return parse_config(LatentMeta, values, origin=where)
    except ConfigError as error:
        raise DataError(f"{error}; remove the folder and extract the latents again") from None


def shard_names(shard: int) -> tuple[str, str]:
    """The latents and the item list of a shard."""
    stem = f"latents-{shard:05d}"
    return f"{stem}.safetensors", f"{stem}.jsonl"
