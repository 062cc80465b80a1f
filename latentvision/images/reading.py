"""Reads any ordinary picture file as RGB with 8 bits a channel, or says in one line why it cannot.

A file is read by its content, never by its suffix. Rotation that a camera noted in EXIF is applied,
transparent pixels are laid over white, 16-bit grey is scaled to 8 bits, and of an animation or a
file of several pages the first one is taken, with a warning.
"""

import io
import logging
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from latentspeech.core.errors import InputError

logger = logging.getLogger(__name__)

# About 400 MB as RGB. Larger pictures are almost always maps, scans or attacks.
MAX_PIXELS = 2**27
_EXPECTED = "a whole png, jpeg, webp, gif, bmp or tiff picture"
# What Pillow's readers raise at files that are truncated or damaged.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error)
# A phone's JPEG with a second view of the same scene.
_SEVERAL_VIEWS = ("MPO",)


def read_picture(path: Path) -> Image.Image:
    """The picture in a file, mode RGB. Raises InputError if it cannot be read."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a picture file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"picture not found: {path}; give the path of an existing file") from None
    return decode_picture(content, str(path))


def decode_picture(content: bytes, name: str) -> Image.Image:
    """The picture in these bytes, mode RGB; `name` stands for it in messages.

    Raises:
        InputError: the bytes are no picture, are truncated or damaged, or have above MAX_PIXELS.
    """
    if not content:
        raise InputError(f"{name} is empty; expected {_EXPECTED}; get it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about its size, which is checked here
            picture = Image.open(io.BytesIO(content))
            _check_size(picture.width * picture.height, name)
            if getattr(picture, "is_animated", False) and picture.format not in _SEVERAL_VIEWS:
                logger.warning("%s has several frames or pages; the first one is used", name)
            picture.load()
            return _to_rgb(_upright(picture, name), name)
    except InputError:
        raise
    except Image.DecompressionBombError:
        _check_size(2 * MAX_PIXELS, name)
        raise
    except UnidentifiedImageError:
        raise InputError(f"{name} is not a picture; expected {_EXPECTED}") from None
    except _BROKEN as error:
        raise InputError(
            f"{name} is truncated or damaged ({error}); expected {_EXPECTED}; get it again"
        ) from None


def _check_size(num_pixels: int, name: str) -> None:
    if num_pixels > MAX_PIXELS:
        raise InputError(
            f"{name} has more than {MAX_PIXELS / 1e6:.0f} million pixels; expected fewer; "
            "scale it down first"
        )


def _upright(picture: Image.Image, name: str) -> Image.Image:
    """The picture turned as its EXIF says; as it is, with a warning, if EXIF is damaged."""
    try:
        picture.getexif()
    except _BROKEN as error:
        logger.warning("%s: its EXIF is damaged (%s), so it is not turned", name, error)
        return picture
    return ImageOps.exif_transpose(picture)


def _to_rgb(picture: Image.Image, name: str) -> Image.Image:
    mode = picture.mode
    if mode == "F":
        raise InputError(
            f"{name} holds floating-point pixels, whose range is unknown; expected 8 or 16 bits a "
            "channel; convert it first"
        )
    if mode.startswith("I"):  # 16-bit grey; some formats give it as 32-bit integers
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise InputError(
                f"{name} has pixels from {values.min()} to {values.max()}; expected 0 to 65535; "
                "convert it to 16 bits first"
            )
        picture = Image.fromarray(np.round(values / 257).astype(np.uint8))
    elif picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")
