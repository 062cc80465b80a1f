"""Batches of images: every picture once an epoch, the same again, windows of few shards."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from latentspeech.core.errors import DataError
from latentvision.data.image_batches import ImageBatchConfig, ImageBatches
from latentvision.data.sources.folder import ImageFolder
from latentvision.data.sources.tar import TarImages
from latentvision.images.transforms import center_crop, flip, to_tensor
from tests.tiny_pictures import make_folder, make_tars

CONFIG = ImageBatchConfig(batch_size=4, window_shards=2)


def batches_of(folder: Path, **changes) -> ImageBatches:
    config = CONFIG.model_copy(update=changes)
    return ImageBatches(TarImages(folder), config, image_size=16, seed=1)


def planned(data: ImageBatches, epoch: int) -> list[list[int]]:
    windows = range(data.num_windows())
    return [list(batch) for window in windows for batch in data.plan(epoch, window)]


def test_an_epoch_has_every_picture_once_in_its_own_order(tmp_path: Path) -> None:
    data = batches_of(make_tars(tmp_path / "tars", count=11))
    assert data.num_windows() == 2
    first, second = planned(data, 0), planned(data, 1)
    assert first == planned(data, 0)
    assert first != second
    for epoch in (first, second):
        counts = Counter(index for batch in epoch for index in batch)
        assert len(counts) == 11
        assert set(counts.values()) == {1}
        assert max(map(len, epoch)) <= 4
    for window in range(2):
        sizes = [len(batch) for batch in data.plan(0, window)]
        assert max(sizes) - min(sizes) <= 1
        assert len({index >> 20 for batch in data.plan(0, window) for index in batch}) <= 2


def test_a_batch_is_crops_half_of_them_mirrored(tmp_path: Path) -> None:
    source = TarImages(make_tars(tmp_path / "tars"))
    data = batches_of(tmp_path / "tars")
    items = [*source.shard(0), *source.shard(1)] * 4
    batch = data.load(items, seed=5)
    assert (batch.shape, batch.dtype) == ((32, 3, 16, 16), torch.float32)
    assert torch.equal(batch, data.load(items, seed=5))
    assert not torch.equal(batch, data.load(items, seed=6))
    crops = [to_tensor(center_crop(source.picture(index), 16)) for index in items]
    plain = [torch.equal(one, crop) for one, crop in zip(batch, crops, strict=True)]
    mirrored = [torch.equal(one, flip(crop)) for one, crop in zip(batch, crops, strict=True)]
    assert all(a != b for a, b in zip(plain, mirrored, strict=True))
    assert 6 < sum(mirrored) < 26


def test_validation_is_fixed_and_not_mirrored(tmp_path: Path) -> None:
    source = ImageFolder(make_folder(tmp_path / "pictures"))
    config = CONFIG.model_copy(update={"max_valid": 7})
    data = ImageBatches(source, config, image_size=16, seed=1, valid=True)
    assert data.num_windows() == 1
    plan = data.plan(0, 0)
    assert [index for batch in plan for index in batch] == list(range(7))
    batch = data.load([0], seed=3)
    assert torch.equal(batch[0], to_tensor(center_crop(source.picture(0), 16)))


def test_bad_pictures_stop_the_run_or_are_left_out(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "pictures", count=3)
    (root / "dot" / "000.png").write_bytes(b"broken")
    source = ImageFolder(root)
    with pytest.raises(DataError, match="not a picture"):
        ImageBatches(source, CONFIG, 16, seed=1).load([0, 1], seed=0)
    config = CONFIG.model_copy(update={"skip_bad": True})
    data = ImageBatches(source, config, 16, seed=1)
    assert len(data.load([0, 1], seed=0)) == 1
    with pytest.raises(DataError, match="none of the 1 pictures"):
        data.load([0], seed=0)
