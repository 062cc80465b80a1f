"""Every source gives the same pictures with their classes, and says what is wrong with bad ones."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import DataError
from latentvision.data.sources import folder as folder_source
from latentvision.data.sources.config import (
    EmojiConfig,
    FashionConfig,
    FolderConfig,
    ParquetConfig,
    SourceConfig,
    TarConfig,
    open_source,
)
from latentvision.data.sources.emoji import EmojiSplit
from latentvision.data.sources.folder import ImageFolder
from latentvision.data.sources.idx import FASHION_CLASSES, IdxImages
from latentvision.data.sources.source import ImageSource
from latentvision.data.sources.tar import TarImages
from tests.tiny_pictures import (
    CLASSES,
    encoded,
    make_emoji,
    make_fashion,
    make_folder,
    make_tars,
    picture,
)

SPLITS: tuple[EmojiSplit, ...] = ("train", "test")


class _Holder(Config):
    source: SourceConfig


def make_parquet(root: Path, count: int = 9) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    root.mkdir()
    numbers = range(count)
    rows = {
        "image": [{"bytes": encoded(n), "path": f"{n}.png"} for n in numbers],
        "label": [n % len(CLASSES) for n in numbers],
    }
    features = {"info": {"features": {"label": {"names": list(CLASSES), "_type": "ClassLabel"}}}}
    table = pyarrow.table(rows)
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(table.slice(0, 6), root / "train-0.parquet", row_group_size=4)
    parquet.write_table(table.slice(6), root / "train-1.parquet")
    return root


def everything(source: ImageSource) -> dict[bytes, int | None]:
    """Pixels -> class of all pictures; each index is in one shard."""
    indices = [index for number in range(source.num_shards) for index in source.shard(number)]
    assert len(set(indices)) == len(indices)
    names = [source.record(index).id for index in indices]
    assert len(set(names)) == len(names)
    return {source.picture(index).tobytes(): source.record(index).label for index in indices}


EXPECTED = {picture(number).tobytes(): number % len(CLASSES) for number in range(9)}


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_shards_give_all_pictures_with_their_classes(kind: str, tmp_path: Path) -> None:
    make = {"tar": make_tars, "parquet": make_parquet}[kind]
    config = {"tar": TarConfig, "parquet": ParquetConfig}[kind]
    source = open_source(config(location=str(make(tmp_path / kind))))
    assert everything(source) == EXPECTED
    assert tuple(source.class_names) == CLASSES
    assert source.num_shards == 3
    assert everything(pickle.loads(pickle.dumps(source))) == EXPECTED


def test_a_folder_of_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_source, "_PICTURES_PER_SHARD", 4)
    source = open_source(FolderConfig(path=make_folder(tmp_path / "pictures")))
    found = everything(source)
    assert {pixels: source.class_names[label] for pixels, label in found.items()} == {
        pixels: CLASSES[label] for pixels, label in EXPECTED.items()
    }
    assert tuple(source.class_names) == tuple(sorted(CLASSES))
    assert everything(pickle.loads(pickle.dumps(source))) == found
    # The folder is sorted by class, but each shard has all classes.
    assert source.num_shards == 3
    for number in range(3):
        assert len({source.record(index).label for index in source.shard(number)}) == 3


def test_a_folder_without_classes(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.PNG").write_bytes(encoded(number))
    source = ImageFolder(tmp_path)
    assert set(everything(source).values()) == {None}
    assert source.class_names == ()
    assert source.record(1).id == "1"


def test_captions_come_from_the_tar_file(tmp_path: Path) -> None:
    source = TarImages(make_tars(tmp_path / "tars"))
    first = source.shard(0)[0]
    assert source.record(first) == ("a/000", 0, "number 0")


def test_fashion_mnist(tmp_path: Path) -> None:
    source = open_source(FashionConfig(folder=make_fashion(tmp_path / "fashion"), split="test"))
    found = everything(source)
    assert len(found) == 30
    assert set(found.values()) == set(range(10))
    assert tuple(source.class_names) == FASHION_CLASSES
    image = np.asarray(source.picture(3))
    assert image.shape == (28, 28, 3)
    assert (image[..., 0] == image[..., 2]).all()


def test_emoji_keep_some_aside_with_all_their_skin_tones(tmp_path: Path) -> None:
    folder = make_emoji(tmp_path / "emoji")
    train, test = (open_source(EmojiConfig(folder=folder, split=split)) for split in SPLITS)
    ids = []
    for source in (train, test):
        everything(source)
        indices = [i for number in range(source.num_shards) for i in source.shard(number)]
        ids.append({source.record(index).id for index in indices})
    assert len(ids[0]) + len(ids[1]) == 32 + 10  # a fifth has no picture, a fourth a skin tone
    assert 0 < len(ids[1]) < 12
    bases = [{name.partition("-")[0] for name in part} for part in ids]
    assert not bases[0] & bases[1]
    assert tuple(train.class_names) == tuple(test.class_names) == ("Flags", "Food")
    record = train.record(0)
    assert record.text == f"name {int(record.id.partition('-')[0], 16)}"
    (folder / "emoji.json").write_text("[]")
    with pytest.raises(DataError, match="no table of emoji"):
        open_source(EmojiConfig(folder=folder))
    with pytest.raises(DataError, match="npm pack"):
        open_source(EmojiConfig(folder=tmp_path))


@pytest.mark.parametrize(
    ("kind", "words"),
    [("folder", "has no pictures"), ("tar", "holds no .tar"), ("parquet", "holds no .parquet")],
)
def test_empty_and_missing_folders(kind: str, words: str, tmp_path: Path) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    key = "path" if kind == "folder" else "location"
    for place in (tmp_path, tmp_path / "none"):
        holder = parse_config(_Holder, {"source": {"kind": kind, key: str(place)}})
        with pytest.raises(DataError, match=f"{words}|no folder of pictures"):
            open_source(holder.source)


def test_a_damaged_picture_names_its_file(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "pictures", count=3)
    broken = root / "dot" / "000.png"
    broken.write_bytes(broken.read_bytes()[:300])
    source = ImageFolder(root)
    with pytest.raises(DataError, match=r"dot/000\.png is truncated .*skip_bad"):
        source.picture(0)
    assert source.picture(1).size == (20, 20)


def test_a_truncated_tar_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = make_tars(tmp_path / "tars")
    path = root / "00000.tar"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"00000\.tar is truncated"):
        TarImages(root).shard(0)
    some = TarImages(root, skip_bad=True)
    assert 0 < len(some.shard(0)) < 4
    assert "before the break" in caplog.text
    path.write_bytes(b"no tar at all" * 100)
    with pytest.raises(DataError, match=r"00000\.tar is truncated"):
        TarImages(root, skip_bad=True).shard(0)


def test_parquet_without_classes(tmp_path: Path) -> None:
    parquet, pyarrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    rows = pyarrow.table({"image": [encoded(n) for n in range(3)]})  # the bytes themselves
    parquet.write_table(rows, tmp_path / "some.parquet")
    source = open_source(ParquetConfig(location=str(tmp_path)))
    assert everything(source) == {picture(n).tobytes(): None for n in range(3)}
    assert source.record(source.shard(0)[2]) == ("some.parquet/0/2", None, "")


def test_damaged_parquet_and_other_columns(tmp_path: Path) -> None:
    root = make_parquet(tmp_path / "parquet")
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"sound": [1]}), root / "train-2.parquet")
    with pytest.raises(DataError, match="no column 'image', but sound"):
        open_source(ParquetConfig(location=str(root)))
    (root / "train-2.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"train-2\.parquet is damaged"):
        open_source(ParquetConfig(location=str(root)))


def test_idx_files_that_do_not_fit(tmp_path: Path) -> None:
    folder = make_fashion(tmp_path / "fashion")
    images, labels = (folder / f"train-{n}-ubyte.gz" for n in ("images-idx3", "labels-idx1"))
    with pytest.raises(DataError, match="does not exist"):
        IdxImages(folder / "none", labels)
    with pytest.raises(DataError, match="3 dimension"):
        IdxImages(labels, labels)
    with pytest.raises(DataError, match="2 names of classes"):
        IdxImages(images, labels, ("a", "b"))
    images.write_bytes(images.read_bytes()[:-500])
    with pytest.raises(DataError, match="truncated or damaged"):
        IdxImages(images, labels)
