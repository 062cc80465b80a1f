"""The format of a folder of latent shards: its meta.json, its items and the names of its files.

    meta.json                   which sigma-VAE and source, sizes, posterior (`LatentMeta`)
    latents-00000.safetensors   item id -> mu (T, D), in meta's dtype
    latents-00000.jsonl         an item a line; written last, so it marks the shard as complete
    stats.safetensors           mean, std (D,) and count of z over all items

An item is an utterance, an image, or one of two mirrored copies of an image; the T latents of an
image are its grid, row by row. An item without latents is one whose file could not be read.
Folders of version 1, which was for speech only, are read as well.

T latents, D latent dimension.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from latentspeech.core.config import Config, parse_config
from latentspeech.core.data.file_store import FileStore, open_store
from latentspeech.core.errors import ConfigError, DataError

SCHEMA_VERSION = 2

# Fields that version 1 named differently, and fields that now belong to the modality.
_VERSION_1_NAMES = {"codec_hash": "vae_hash", "cuts_hash": "source_hash", "num_cuts": "num_items"}
_VERSION_1_MODALITY = ("sample_rate", "hop_length")


class LatentMeta(Config):
    """The content of meta.json: what the latents were made from, and how they are stored."""

    schema_version: int = Field(SCHEMA_VERSION, description="version of this folder's format")
    vae_hash: str = Field(description="hash of the weights of the codec or image tokenizer")
    source_hash: str = Field(description="hash of the list of encoded items")
    latent_dim: int = Field(ge=1, description="channels of a latent")
    posterior_kind: Literal["per_example", "fixed"] = Field(description="how sigma is drawn")
    sigma_std: float = Field(ge=0, description="sqrt of E[sigma^2] of the VAE's posterior")
    dtype: Literal["float16", "float32"] = Field("float16", description="dtype of the means")
    shard_size: int = Field(ge=1, description="items a shard")
    num_items: int = Field(ge=1, description="items in all")
    remake_command: str = Field(description="command that makes missing or damaged shards again")
    modality: dict[str, Any] = Field(
        {}, description="the modality's own facts: rates of speech, grid of an image"
    )

    @property
    def num_shards(self) -> int:
        """The number of shards."""
        return -(-self.num_items // self.shard_size)

    def shard_length(self, shard: int) -> int:
        """The number of items of a shard; all shards except the last are full."""
        return min(self.shard_size, self.num_items - shard * self.shard_size)


class LatentItem(NamedTuple):
    """One item; facts that only its modality uses are in `extras`."""

    id: str
    num_latents: int
    group: str = ""  # items of one group are alike: a speaker's utterances, the images of a class
    text: str = ""  # transcript or caption
    extras: Mapping[str, Any] = {}  # values that JSON has


def parse_item(line: str | bytes) -> LatentItem:
    """Reads a line of a list; ValueError, TypeError or KeyError if it is not an item."""
    row: dict[str, Any] = json.loads(line)
    group = row.pop("speaker", "")  # of version 1
    return LatentItem(
        row.pop("id"), row.pop("num_latents"), row.pop("group", group), row.pop("text", ""), row
    )


def item_line(item: LatentItem) -> str:
    """An item as a line of a list; its extras are keys like its other fields."""
    values = {**item._asdict(), **item.extras}
    del values["extras"]
    return json.dumps(values, ensure_ascii=False) + "\n"


def read_meta(location: str | Path | FileStore) -> LatentMeta:
    """Reads the folder's meta.json. Raises DataError if it is not a folder of latents."""
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
        if values["schema_version"] == 1:
            values = _from_version_1(values)
        version = values["schema_version"]
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


def _from_version_1(values: dict[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in values.items() if key not in _VERSION_1_MODALITY}
    del known["frame_rate"]
    renamed = {_VERSION_1_NAMES.get(key, key): value for key, value in known.items()}
    modality = {key: values[key] for key in _VERSION_1_MODALITY}
    return renamed | {"schema_version": SCHEMA_VERSION, "modality": modality}


def shard_names(shard: int) -> tuple[str, str]:
    """The file names of a shard: latents and item list."""
    stem = f"latents-{shard:05d}"
    return f"{stem}.safetensors", f"{stem}.jsonl"
