"""Latents of pictures and their mirror images in the core's shards, with their classes."""

from pathlib import Path

import pytest
import torch

from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.core.errors import DataError
from latentvision.data.extract_latents import extract_latents
from latentvision.data.sources.folder import ImageFolder
from latentvision.data.sources.tar import TarImages
from latentvision.images.transforms import center_crop, flip, to_tensor
from latentvision.tokenizer.model_directory import load_tokenizer, tokenizer_hash
from tests.tiny_pictures import CLASSES, make_folder, make_tars
from tests.tiny_tokenizer import POSTERIORS, make_tokenizer_directory


def test_items_are_pictures_and_their_mirror_images(tmp_path: Path) -> None:
    directory = make_tokenizer_directory(tmp_path)
    source = TarImages(make_tars(tmp_path / "tars"))
    seen: list[tuple[int, int]] = []
    extract_latents(
        directory,
        source,
        tmp_path / "latents",
        4,
        batch_size=3,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(4, 9), (8, 9), (9, 9)]
    shards = LatentShards(tmp_path / "latents", tokenizer_hash(directory))
    meta, tokenizer = shards.meta, load_tokenizer(directory)
    assert (meta.num_items, meta.latent_dim, meta.sigma_std) == (18, 5, 0.9375)
    assert meta.modality["grid"] == [4, 4]
    assert meta.modality["class_names"] == list(CLASSES)
    records = {
        record.id: i for n in range(3) for i in source.shard(n) if (record := source.record(i))
    }
    for number in range(meta.num_items):
        item = shards.item(number)
        name = item.id.removesuffix("|flipped")
        record = source.record(records[name])
        assert (item.extras["label"], item.group) == (record.label, str(record.label))
        assert item.text == record.text
        image = to_tensor(center_crop(source.picture(records[name]), 16))
        if item.extras["flipped"]:
            image = flip(image)
        with torch.no_grad():
            expected = tokenizer.encode(image[None])[0]
        assert torch.allclose(shards.load(number).float(), expected, atol=2e-3)
    assert len({shards.item(number).id for number in range(18)}) == 18
    mean, std = shards.statistics()
    z = torch.cat([shards.load(number).float() for number in range(18)])
    assert torch.allclose(mean, z.mean(dim=0), atol=1e-3)
    expected_std = (z.var(dim=0, correction=0) + 0.9375**2).sqrt()
    assert torch.allclose(std, expected_std, atol=1e-3)


def test_processes_share_the_work_and_a_killed_one_goes_on(tmp_path: Path) -> None:
    directory = make_tokenizer_directory(tmp_path)
    source = ImageFolder(make_folder(tmp_path / "pictures"))
    extract_latents(directory, source, tmp_path / "whole", 2)
    for rank in (1, 0):
        extract_latents(directory, source, tmp_path / "shared", 2, rank, world_size=2)
    (tmp_path / "shared" / "latents-00001.safetensors").write_bytes(b"half")
    extract_latents(directory, source, tmp_path / "shared", 2, 1, world_size=2)
    write_statistics(tmp_path / "shared")
    for path in (tmp_path / "whole").glob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / "shared" / path.name).read_bytes()
    other = make_tokenizer_directory(tmp_path, seed=1)
    with pytest.raises(DataError, match="another extraction: vae_hash"):
        extract_latents(other, source, tmp_path / "whole", 2)


@pytest.mark.parametrize("kind", list(POSTERIORS))
def test_every_kind_of_tokenizer(kind: str, tmp_path: Path) -> None:
    directory = make_tokenizer_directory(tmp_path, kind)
    source = ImageFolder(make_folder(tmp_path / "pictures", count=6))
    extract_latents(directory, source, tmp_path / "latents", flips=False)
    shards, tokenizer = LatentShards(tmp_path / "latents"), load_tokenizer(directory)
    assert shards.meta.num_items == 6
    image = to_tensor(center_crop(source.picture(2), 16))[None]
    if kind == "vq":
        assert (shards.meta.posterior_kind, shards.meta.sigma_std) == ("fixed", 0)
        with torch.no_grad():
            codes = tokenizer.posterior.codes(shards.load(2)[None])
            assert torch.equal(codes, tokenizer.encode_codes(image))
    elif kind == "learned":
        assert shards.meta.posterior_kind == "fixed"
        # Near the root of 8e-4, where an untrained encoder starts.
        assert 0.015 < shards.meta.sigma_std < 0.06
    else:
        assert shards.meta.posterior_kind == kind


def test_bad_pictures_are_listed_without_latents(tmp_path: Path) -> None:
    directory = make_tokenizer_directory(tmp_path)
    root = make_folder(tmp_path / "pictures", count=4)
    (root / "dot" / "000.png").write_bytes(b"broken")
    source = ImageFolder(root)
    with pytest.raises(DataError, match="not a picture"):
        extract_latents(directory, source, tmp_path / "latents")
    extract_latents(directory, source, tmp_path / "latents", skip_bad=True)
    shards = LatentShards(tmp_path / "latents")
    sizes = {shards.item(n).id: shards.item(n).num_latents for n in range(8)}
    assert sizes["dot/000"] == sizes["dot/000|flipped"] == 0
    assert sorted(sizes.values()) == [0, 0, *[16] * 6]
