"""Files of many images, and how a path becomes a source."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from latentspeech.core.errors import ConfigError, DataError
from latentvision.data.sources.array import ArrayImages
from latentvision.data.sources.folder import ImageFolder
from latentvision.data.sources.idx import IdxImages
from latentvision.data.sources.locate import open_pictures
from latentvision.data.sources.tar import TarImages
from tests.tiny_pictures import CLASSES, make_fashion, make_folder, make_tars


def pixels(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 6, 4, 3), dtype=np.uint8)


def test_both_files_hold_the_same_images(tmp_path: Path) -> None:
    images, labels = pixels(), np.array([2, 0, 1, 2, 0])
    np.savez(tmp_path / "samples.npz", images, labels)
    save_file(
        {"images": images, "labels": labels},
        tmp_path / "samples.safetensors",
        metadata={"class_names": json.dumps(CLASSES)},
    )
    adm, named = (open_pictures(tmp_path / f"samples.{s}") for s in ("npz", "safetensors"))
    assert isinstance(adm, ArrayImages)
    assert adm.class_names == ()
    assert named.class_names == CLASSES
    assert adm.shard(0) == range(5)
    for source in (adm, named):
        assert [source.record(i).label for i in range(5)] == labels.tolist()
        assert (np.asarray(source.picture(3)) == images[3]).all()
        assert source.record(3).id == "000003"
    np.savez(tmp_path / "bare.npz", images)
    assert open_pictures(tmp_path / "bare.npz").record(0).label is None


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ([pixels().astype(np.float32)], "of float32; expected images as an array"),
        ([pixels()[..., 0]], r"an array \(5, 6, 4\) of uint8"),
        ([pixels(0)], r"an array \(0, 6, 4, 3\)"),
        ([pixels(), np.zeros(4)], r"labels of shape \(4,\) for 5 images"),
        ([np.array([{}], dtype=object)], "holds no images that can be read"),
    ],
)
def test_other_arrays_are_refused(arrays: list[np.ndarray], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", *arrays)
    with pytest.raises(DataError, match=words):
        ArrayImages(tmp_path / "x.npz")


def test_damaged_files_are_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "cut.npz", pixels())
    content = (tmp_path / "cut.npz").read_bytes()
    for name, content_ in (("cut.npz", content[:300]), ("a.safetensors", b"none"), ("e.npz", b"")):
        (tmp_path / name).write_bytes(content_)
        with pytest.raises(DataError, match="holds no images that can be read") as caught:
            open_pictures(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_path_is_a_source(tmp_path: Path) -> None:
    assert isinstance(open_pictures(make_folder(tmp_path / "folder")), ImageFolder)
    assert isinstance(open_pictures(make_tars(tmp_path / "tars")), TarImages)
    text = {"kind": "fashion_mnist", "folder": str(make_fashion(tmp_path / "idx"))}
    (tmp_path / "source.yaml").write_text(yaml.safe_dump(text))
    assert isinstance(open_pictures(tmp_path / "source.yaml"), IdxImages)
    (tmp_path / "source.yaml").write_text(yaml.safe_dump({"kind": "film"}))
    with pytest.raises(ConfigError, match=r"source\.yaml: source"):
        open_pictures(tmp_path / "source.yaml")
    with pytest.raises(DataError, match="does not exist; expected pictures"):
        open_pictures(tmp_path / "none")
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(DataError, match="neither a folder nor such a file"):
        open_pictures(tmp_path / "text.txt")
