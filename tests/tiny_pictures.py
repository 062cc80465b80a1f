"""Small sets of pictures on disk in every layout that a source reads, for tests."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("dot", "stripe", "field")


def picture(number: int, size: int = 20) -> Image.Image:
    """A picture of its own for each number, whose red value tells its class."""
    pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), dtype=np.uint8)
    pixels[..., 0] = 80 * (number % len(CLASSES))
    return Image.fromarray(pixels)


def encoded(number: int, size: int = 20) -> bytes:
    buffer = io.BytesIO()
    picture(number, size).save(buffer, format="PNG")
    return buffer.getvalue()


def make_folder(root: Path, count: int = 9) -> Path:
    """ROOT/CLASS/NUMBER.png; returns the root."""
    for name in CLASSES:
        (root / name).mkdir(parents=True)
    for number in range(count):
        path = root / CLASSES[number % len(CLASSES)] / f"{number:03d}.png"
        path.write_bytes(encoded(number))
    return root


def make_tars(root: Path, count: int = 9, per_tar: int = 4) -> Path:
    """Tar files in webdataset's layout; odd numbers have their class in a .json."""
    root.mkdir()
    for first in range(0, count, per_tar):
        with tarfile.open(root / f"{first:05d}.tar", "w") as tar:
            for number in range(first, min(first + per_tar, count)):
                label = number % len(CLASSES)
                members = {"png": encoded(number), "txt": f"number {number}\n".encode()}
                if number % 2:
                    members["json"] = json.dumps({"label": label}).encode()
                else:
                    members["cls"] = str(label).encode()
                for suffix, content in members.items():
                    info = tarfile.TarInfo(f"a/{number:03d}.{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return root


def make_emoji(folder: Path, count: int = 40) -> Path:
    """An emoji package; every fourth emoji has a second skin tone, every fifth no picture."""
    pictures = folder / "img" / "google" / "64"
    pictures.mkdir(parents=True)
    rows = []
    for number in range(count):
        forms = {"": True, "-1f3fb": number % 4 == 0}
        row: dict[str, object] = {
            "unified": f"{number:04X}",
            "name": f"NAME {number}",
            "image": f"{number:04x}.png",
            "category": ("Food", "Flags")[number % 2],
            "has_img_google": number % 5 != 0,
        }
        if forms["-1f3fb"]:
            variation = {"image": f"{number:04x}-1f3fb.png", "has_img_google": True}
            row["skin_variations"] = {"1F3FB": variation}
        for place, (suffix, there) in enumerate(forms.items()):
            if there:
                content = encoded(1000 * place + number)
                (pictures / f"{number:04x}{suffix}.png").write_bytes(content)
        rows.append(row)
    (folder / "emoji.json").write_text(json.dumps(rows))
    return folder


def make_fashion(folder: Path, count: int = 30) -> Path:
    """Fashion-MNIST's four files with few pictures."""
    folder.mkdir()
    for split in ("train", "t10k"):
        pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, values in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
            path = folder / f"{split}-{name}-ubyte.gz"
            path.write_bytes(gzip.compress(head + values.tobytes()))
    return folder
