"""Writes images as PNG files that say in their text chunks where they come from."""

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, PngImagePlugin
from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.core.storage.files import atomic_path
from latentspeech.core.tensors import check_shape
from latentvision.images.transforms import to_pixels


def write_png(path: Path, image: Tensor, provenance: Mapping[str, str]) -> None:
    """Writes an image (3, H, W) in [-1, 1]; the file appears whole or not at all.

    Args:
        path: a name that ends with .png, or a device such as /dev/stdout.
        image: the pixels; what lies outside [-1, 1] is cut off.
        provenance: text chunks by keyword, such as Software and Comment.

    Raises:
        InputError: another suffix, a missing folder, a full disk, or pixels that are not finite.
    """
    check_shape("image", image, 3, "H", "W")
    check_png_name(path)
    chunks = PngImagePlugin.PngInfo()
    for keyword, text in provenance.items():
        chunks.add_itxt(keyword, text)
    pixels = to_pixels(image).permute(1, 2, 0).contiguous().numpy()  # (H, W, 3)
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG", pnginfo=chunks)


def check_png_name(path: Path) -> None:
    """Raises InputError unless an image can be written under this name."""
    path = Path(path)
    device = path.exists() and not path.is_file() and not path.is_dir()
    if path.suffix.lower() != ".png" and not device:
        raise InputError(f"{path} does not end with .png, the format of images; rename it")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; create it or choose another")


def read_provenance(path: Path) -> dict[str, str]:
    """The text chunks of a PNG file by keyword."""
    with Image.open(path) as picture:
        return {str(key): text for key, text in picture.info.items() if isinstance(text, str)}
