import json
import pickle

import pytest
import torch

from latentspeech.core.data.latent_format import LatentItem, LatentMeta, read_meta
from latentspeech.core.data.latent_shards import DamagedShardError, LatentShards, LatentShardWriter
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.core.errors import DataError

META = LatentMeta(
    vae_hash="0123456789abcdef",
    source_hash="fedcba9876543210",
    latent_dim=4,
    posterior_kind="per_example",
    sigma_std=0.625,
    shard_size=3,
    num_items=7,
    remake_command="make latents",
    modality={"rate_hz": 15.0},
)


def corpus():
    generator = torch.Generator().manual_seed(0)
    items, latents = [], {}
    for number in range(META.num_items):
        name = f"utt/{number}"  # ids of real corpora hold slashes
        latents[name] = torch.randn(3 + number, 4, generator=generator)
        text, extras = f"caf\u00e9 {number}", {"seconds": 0.5, "marks": [number]}
        items.append(LatentItem(name, 3 + number, f"s{number % 2}", text, extras))
    return items, latents


@pytest.fixture
def folder(tmp_path):
    items, latents = corpus()
    writer = LatentShardWriter(tmp_path / "latents", META)
    for shard in range(3):
        writer.write(shard, items[3 * shard : 3 * shard + 3], latents)
    return writer.directory


def test_what_was_written_is_read(folder):
    items, latents = corpus()
    shards = LatentShards(folder, expected_vae_hash=META.vae_hash)
    assert [shards.item(index) for index in range(7)] == items
    assert [item for shard in shards.shards for item in shards.items(shard)] == items
    assert shards.meta == META
    assert json.loads((folder / "meta.json").read_text())["modality"] == {"rate_hz": 15.0}
    for index, item in enumerate(items):
        mu = shards.load(index)
        assert mu.dtype == torch.float16
        assert torch.equal(mu, latents[item.id].half())
    with pytest.raises(IndexError):
        shards.load(7)


def test_statistics_are_those_of_samples(folder):
    with pytest.raises(DataError, match=r"stats\.safetensors.*make latents"):
        LatentShards(folder).statistics()
    write_statistics(folder)
    mean, std = LatentShards(folder).statistics()
    mu = torch.cat([LatentShards(folder).load(index) for index in range(7)]).double()
    torch.testing.assert_close(mean.double(), mu.mean(dim=0))
    variance = mu.var(dim=0, correction=0) + META.sigma_std**2
    torch.testing.assert_close(std.double(), variance.sqrt())
    items, latents = corpus()
    LatentShardWriter(folder, META).write(1, items[3:6], latents)  # they may be others now
    with pytest.raises(DataError, match=r"stats\.safetensors"):
        LatentShards(folder).statistics()


def test_a_folder_of_images_holds_their_grid_and_both_flips(tmp_path):
    changes = {"num_items": 4, "shard_size": 4, "modality": {"grid": [2, 3]}}
    meta = META.model_copy(update=changes)
    latents = {f"{n}{side}": torch.randn(6, 4) for n in (0, 1) for side in ("", "/flipped")}
    items = [
        LatentItem(name, 6, group=f"class {name[0]}", extras={"flipped": "/" in name})
        for name in latents
    ]
    LatentShardWriter(tmp_path, meta).write(0, items, latents)
    shards = LatentShards(tmp_path)
    assert shards.meta.modality["grid"] == [2, 3]
    assert shards.items(0) == items
    assert pickle.loads(pickle.dumps(shards.item(1))).extras == {"flipped": True}
    assert torch.equal(shards.load(1), latents["0/flipped"].half())


def test_a_folder_of_version_1_is_read_and_continued(tmp_path):
    items, latents = corpus()
    values = {"schema_version": 1, "codec_hash": "0123", "cuts_hash": "fedc", "latent_dim": 4}
    values |= {"sample_rate": 24000, "hop_length": 1600, "posterior_kind": "per_example"}
    values |= {"sigma_std": 0.625, "dtype": "float16", "shard_size": 3, "num_cuts": 6}
    values |= {"remake_command": "make latents", "frame_rate": 15.0}
    (tmp_path / "meta.json").write_text(json.dumps(values))
    changes = {"vae_hash": "0123", "source_hash": "fedc", "num_items": 6}
    changes |= {"modality": {"sample_rate": 24000, "hop_length": 1600}}
    writer = LatentShardWriter(tmp_path, META.model_copy(update=changes))
    writer.write(0, items[:3], latents)
    writer.write(1, items[3:6], latents)
    line = {"id": "utt/0", "speaker": "s0", "text": "caf\u00e9 0", "num_latents": 3}
    old = [json.dumps(line | {"seconds": 0.5, "marks": [0]})]
    path = tmp_path / "latents-00000.jsonl"
    path.write_text("\n".join([*old, *path.read_text().splitlines()[1:]]) + "\n")
    shards = LatentShards(tmp_path, expected_vae_hash="0123")
    assert [shards.item(index) for index in range(6)] == items[:6]
    assert shards.meta.modality == {"sample_rate": 24000, "hop_length": 1600}
    assert torch.equal(shards.load(4), latents["utt/4"].half())


def test_float32_is_kept_exactly(tmp_path):
    items, latents = corpus()
    meta = META.model_copy(update={"dtype": "float32", "num_items": 3})
    LatentShardWriter(tmp_path, meta).write(0, items[:3], latents)
    assert torch.equal(LatentShards(tmp_path).load(1), latents["utt/1"])


def test_it_can_be_pickled_after_use_and_opens_few_files(folder, monkeypatch):
    monkeypatch.setattr("latentspeech.core.data.recent._MAX_OPEN_SHARDS", 2)
    shards = LatentShards(folder)
    expected = [shards.load(index) for index in range(7)]
    assert len(shards._weights) == len(shards._lists) == 2
    copy = pickle.loads(pickle.dumps(shards))
    assert all(torch.equal(copy.load(i), mu) for i, mu in enumerate(expected))


def test_latents_of_another_vae_are_refused(folder):
    with pytest.raises(DataError, match=r"VAE 0123456789abcdef; expected aaaa"):
        LatentShards(folder, expected_vae_hash="aaaa")


def test_a_folder_is_continued_only_with_the_same_meta(folder):
    again = META.model_copy(update={"remake_command": "another way"})
    assert LatentShardWriter(folder, again).is_complete(2)
    other = META.model_copy(update={"vae_hash": "bbbb", "num_items": 8})
    with pytest.raises(DataError, match=r"vae_hash 0123456789abcdef \(now bbbb\), num_items 7"):
        LatentShardWriter(folder, other)


@pytest.mark.parametrize("damage", ["cut short", "a line short", "empty", "missing", "garbage"])
@pytest.mark.parametrize("name", ["latents-00001.safetensors", "latents-00001.jsonl"])
def test_a_damaged_shard_names_itself_and_the_command(folder, damage, name):
    path = folder / name
    match damage:
        case "cut short":
            path.write_bytes(path.read_bytes()[:-20])
        case "a line short":
            path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
        case "empty":
            path.write_bytes(b"")
        case "missing":
            path.unlink()
        case "garbage":
            path.write_bytes(b"\xff" * 300)
    writer = LatentShardWriter(folder, META)
    assert [writer.is_complete(shard) for shard in range(3)] == [True, False, True]
    with pytest.raises(DataError, match=rf"{name} is.*again with: make latents") as error:
        LatentShards(folder).load(3)
    assert "\n" not in str(error.value)
    items, latents = corpus()
    writer.write(1, items[3:6], latents)
    assert torch.equal(LatentShards(folder).load(3), latents["utt/3"].half())


def test_a_shard_that_contradicts_its_list_is_found(folder):
    path = folder / "latents-00000.jsonl"
    path.write_text(path.read_text().replace('"num_latents": 4', '"num_latents": 5'))
    with pytest.raises(DataError, match=r"utt/1 has shape \(4, 4\).*\(5, 4\)"):
        LatentShards(folder).load(1)


def test_infinite_latents_are_not_stored(tmp_path):
    items, latents = corpus()
    latents["utt/1"][0, 0] = 1e6  # finite, but not in float16
    writer = LatentShardWriter(tmp_path, META)
    with pytest.raises(DataError, match="utt/1 has NaN"):
        writer.write(0, items[:3], latents)
    assert not writer.is_complete(0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["meta.json"]


def test_other_folders_and_versions_are_refused(folder, tmp_path):
    with pytest.raises(DataError, match=r"meta\.json is missing"):
        read_meta(tmp_path)
    meta = folder / "meta.json"
    text = meta.read_text()
    meta.write_text(text.replace('"schema_version": 2', '"schema_version": 9'))
    with pytest.raises(DataError, match="schema version 9; this version reads 2"):
        read_meta(folder)
    for broken in (text[:50], "[]", text.replace('"latent_dim": 4', '"latent_dim": "x"')):
        meta.write_text(broken)
        with pytest.raises(DataError, match=r"meta\.json.*again"):
            read_meta(folder)


def test_missing_statistics_name_the_command(folder):
    with pytest.raises(DataError, match=r"stats\.safetensors.*make latents"):
        LatentShards(folder).statistics()


def test_an_utterance_without_latents_is_listed_only(tmp_path):
    items, latents = corpus()
    items[1] = items[1]._replace(num_latents=0)
    writer = LatentShardWriter(tmp_path, META.model_copy(update={"num_items": 3}))
    writer.write(0, items[:3], latents)
    assert writer.is_complete(0)
    shards = LatentShards(tmp_path)
    assert [item.num_latents for item in shards.items(0)] == [3, 0, 5]
    with pytest.raises(DamagedShardError, match="utt/1"):
        shards.load(1)


def test_missing_and_damaged_shards_are_left_out_if_asked(folder, caplog):
    (folder / "latents-00000.safetensors").unlink()
    lines = (folder / "latents-00001.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "latents-00001.jsonl").write_bytes(lines[0] + b"{\n" + lines[2])
    with pytest.raises(DamagedShardError, match=r"latents-00000\.safetensors.*1 of 3 shards"):
        LatentShards(folder)
    shards = LatentShards(folder, skip_bad=True)
    assert shards.shards == [1, 2]
    assert [len(shards.items(shard)) for shard in shards.shards] == [0, 1]
    assert "1 of 3 shards are missing, and 3 items with them" in caplog.text
    assert "3 items of a damaged shard are left out" in caplog.text
    assert torch.isfinite(shards.load(6)).all()
    for path in folder.glob("latents-*"):
        path.unlink()
    with pytest.raises(DamagedShardError, match="3 of 3 shards are missing"):
        LatentShards(folder, skip_bad=True)


def test_opening_reads_no_shard(folder):
    for path in folder.glob("latents-*"):
        path.write_bytes(b"not read")
    assert LatentShards(folder).shards == [0, 1, 2]
