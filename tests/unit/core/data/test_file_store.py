"""Remote files: copied whole or not at all, once for all processes, within a bound."""

import os
import pickle
import time
from multiprocessing import get_context
from pathlib import Path

import fsspec
import pytest
import torch
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from latentspeech.core.data import file_store
from latentspeech.core.data.file_store import LocalCacheConfig, open_store
from latentspeech.core.data.latent_format import LatentMeta
from latentspeech.core.data.latent_shards import DamagedShardError, LatentShards, LatentShardWriter
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.data.speech_latents import speech_item

META = LatentMeta(
    vae_hash="c",
    source_hash="d",
    latent_dim=2,
    modality={"sample_rate": 24_000, "hop_length": 1600},
    posterior_kind="fixed",
    sigma_std=0.1,
    shard_size=2,
    num_items=8,
    remake_command="make them",
)


@pytest.fixture
def cache(tmp_path):
    return LocalCacheConfig(folder=tmp_path / "cache")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(file_store, "_FIRST_PAUSE_S", 0.001)


@pytest.fixture
def local(tmp_path):
    """Four shards of two items, latents holding the item's number."""
    writer = LatentShardWriter(tmp_path / "latents", META)
    for shard in range(4):
        numbers = (2 * shard, 2 * shard + 1)
        items = [speech_item(f"u{n}", "anna", f"text {n}", 3, 0.2) for n in numbers]
        writer.write(shard, items, {f"u{n}": torch.full((3, 2), float(n)) for n in numbers})
    return writer.directory


@pytest.fixture
def memory(local):
    """The same folder as an object store."""
    fsspec.filesystem("memory").store.clear()
    for path in local.iterdir():
        fsspec.filesystem("memory").pipe_file(f"/bucket/latents/{path.name}", path.read_bytes())
    yield "memory://bucket/latents"
    fsspec.filesystem("memory").store.clear()


def copies(cache):
    return sorted(path.name for path in cache.folder.glob("*/latents-*.safetensors"))


def numbers(shards, indices=range(8)):
    return [int(shards.load(index)[0, 0]) for index in indices]


def test_a_url_reads_as_the_folder_does_and_only_what_is_needed(memory, local, cache):
    shards = LatentShards(memory, "c", cache)
    assert shards.shards == [0, 1, 2, 3]
    assert copies(cache) == []
    assert torch.equal(shards.load(5), LatentShards(local).load(5))
    assert copies(cache) == ["latents-00002.safetensors"]
    assert numbers(pickle.loads(pickle.dumps(shards))) == list(range(8))
    assert str(shards) == memory


def test_what_is_in_the_cache_is_not_fetched_again(memory, cache, monkeypatch):
    numbers(LatentShards(memory, "c", cache))
    again = LatentShards(memory, "c", cache)
    monkeypatch.setattr(MemoryFileSystem, "_open", None)
    assert numbers(again) == list(range(8))


def _numbers(task):
    shards, first = task
    time.sleep(0.05)  # so that all processes are there before the first has finished
    return numbers(shards, [(first + k) % 8 for k in range(8)])


def test_processes_share_one_copy(local, cache, tmp_path, monkeypatch):
    opened = tmp_path / "opened"
    opened.mkdir()

    def counted(self, path, *args, **kwargs):
        (opened / f"{Path(path).name}-{os.getpid()}-{time.monotonic_ns()}").touch()
        time.sleep(0.02)
        return original(self, path, *args, **kwargs)

    original = LocalFileSystem._open
    monkeypatch.setattr(LocalFileSystem, "_open", counted)
    shards = LatentShards(f"file://{local}", "c", cache)
    with get_context("fork").Pool(4) as pool:
        found = pool.map(_numbers, [(shards, 2 * k) for k in range(4)], chunksize=1)
    for k, values in enumerate(found):
        assert values == [(2 * k + j) % 8 for j in range(8)]
    fetched = [path.name for path in opened.glob("latents-*.safetensors-*")]
    assert len(fetched) == 4  # each shard once, whoever was first
    assert not list(cache.folder.glob("*/.tmp-*"))


def test_storage_that_fails_twice_is_asked_again(memory, cache, monkeypatch, caplog):
    shards = LatentShards(memory, "c", cache)
    failures = iter([OSError("503 slow down"), TimeoutError("read"), None, None, None])

    def shaky(self, path, *args, **kwargs):
        if error := next(failures, None):
            raise error
        return original(self, path, *args, **kwargs)

    original = MemoryFileSystem._open
    monkeypatch.setattr(MemoryFileSystem, "_open", shaky)
    assert numbers(shards, [3]) == [3]
    assert "503 slow down; attempt 1 of 4" in caplog.text


def test_a_transfer_that_ends_early_is_not_kept(memory, cache, monkeypatch):
    shards = LatentShards(memory, "c", cache)
    shards.item(3)
    real_size = MemoryFileSystem.size
    monkeypatch.setattr(MemoryFileSystem, "size", lambda self, path: real_size(self, path) + 10)
    with pytest.raises(DataError, match=r"latents-00001\.safetensors cannot be fetched after 4"):
        shards.load(3)
    assert copies(cache) == []
    monkeypatch.undo()
    assert numbers(shards, [3]) == [3]


def test_storage_that_is_down_is_never_taken_for_a_bad_shard(memory, cache, monkeypatch):
    shards = LatentShards(memory, "c", cache, skip_bad=True)

    def down(self, path, *args, **kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr(MemoryFileSystem, "_open", down)
    with pytest.raises(DataError, match=r"no route.*check the network") as caught:
        shards.items(0)
    assert not isinstance(caught.value, DamagedShardError)


def test_a_truncated_object_names_itself_and_the_command(memory, cache):
    filesystem = fsspec.filesystem("memory")
    path = "/bucket/latents/latents-00001.safetensors"
    filesystem.pipe_file(path, filesystem.cat_file(path)[:-8])
    shards = LatentShards(memory, "c", cache)
    with pytest.raises(DamagedShardError, match=r"memory://.*00001.*make it again with: make them"):
        shards.load(2)
    assert numbers(shards, [0, 7]) == [0, 7]


def test_a_copy_that_the_disk_spoilt_is_fetched_again(memory, cache):
    numbers(LatentShards(memory, "c", cache))
    (copy,) = cache.folder.glob("*/latents-00001.safetensors")
    copy.write_bytes(b"\0" * copy.stat().st_size)
    assert numbers(LatentShards(memory, "c", cache)) == list(range(8))


def test_a_missing_object(memory, cache):
    fsspec.filesystem("memory").rm("/bucket/latents/latents-00003.jsonl")
    with pytest.raises(DamagedShardError, match=r"00003\.jsonl.*1 of 4 shards are missing"):
        LatentShards(memory, "c", cache)
    assert LatentShards(memory, "c", cache, skip_bad=True).shards == [0, 1, 2]
    with pytest.raises(DataError, match=r"not a folder of latents"):
        LatentShards("memory://bucket/nothing", "c", cache)


def test_the_copies_used_longest_ago_make_room(memory, cache):
    numbers(LatentShards(memory, "c", cache))
    sizes = {path.name: path.stat().st_size for path in cache.folder.glob("*/latents-*")}
    for path in cache.folder.glob("*/*"):
        if path.suffix != ".lock":
            path.unlink()
    pair = sizes["latents-00000.safetensors"] + sizes["latents-00000.jsonl"]
    small = cache.model_copy(update={"max_bytes": 3 * pair})
    shards = LatentShards(memory, "c", small)
    held = shards.load(0)
    assert numbers(shards) == list(range(8))
    left = [path for path in cache.folder.glob("*/*") if path.suffix != ".lock"]
    assert sum(path.stat().st_size for path in left) <= 3 * pair
    assert "latents-00003.safetensors" in copies(cache)
    assert len(copies(cache)) < 4
    assert torch.equal(shards.load(0), held)  # an evicted shard that is mapped stays readable
    assert numbers(LatentShards(memory, "c", small)) == list(range(8))


def test_unknown_protocols_and_folders_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigError, match=r"sthree://bucket cannot be opened.*fsspec knows"):
        open_store("sthree://bucket", LocalCacheConfig(folder=tmp_path)).names()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cache folder .*cannot be written.*data\.cache\.folder"):
        open_store("memory://bucket", LocalCacheConfig(folder=tmp_path / "file"))
