"""Pictures to tensors in [-1, 1] and back; the centre crop, the flip, and grids of pictures.

The crop is that of ADM (Dhariwal and Nichol 2021, arXiv 2105.05233), which the paper's image models
use: halve with a box filter while both sides stay large enough, scale the shorter side to the
wanted size with a bicubic filter, and cut out the middle.

B pictures, H height, W width.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.core.tensors import check_shape

# Longer pictures lose their ends first: a line of a million pixels would become a huge band.
_MAX_ASPECT = 4


def center_crop(picture: Image.Image, size: int) -> Image.Image:
    """The central square of a picture as `size` x `size` pixels; a small picture is enlarged."""
    picture = _without_ends(picture)
    while min(picture.size) >= 2 * size:
        half = (picture.width // 2, picture.height // 2)
        picture = picture.resize(half, Image.Resampling.BOX)
    scale = size / min(picture.size)
    scaled = (round(picture.width * scale), round(picture.height * scale))
    picture = picture.resize(scaled, Image.Resampling.BICUBIC)
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    return picture.crop((left, top, left + size, top + size))


def to_tensor(picture: Image.Image) -> Tensor:
    """RGB picture -> (3, H, W) float32 in [-1, 1]."""
    pixels = torch.from_numpy(np.array(picture.convert("RGB")))  # (H, W, 3) uint8
    return pixels.permute(2, 0, 1).float() / 127.5 - 1


def to_pixels(images: Tensor) -> Tensor:
    """Images (..., H, W) in [-1, 1] -> uint8; what lies outside is cut off.

    Raises:
        InputError: an image has NaN or infinite values.
    """
    images = images.detach().float().cpu()
    if not bool(images.isfinite().all()):
        raise InputError(
            "an image has NaN or infinite pixels; expected finite ones: check the model or latents "
            "that made it"
        )
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def flip(images: Tensor) -> Tensor:
    """The mirror images, left and right exchanged: (..., H, W) -> (..., H, W)."""
    return images.flip(-1)


def make_grid(images: Tensor, num_columns: int, gap: int = 2) -> Tensor:
    """Images (B, 3, H, W) in reading order, side by side on white -> one image (3, H', W')."""
    check_shape("images", images, "B", 3, "H", "W")
    count, _, height, width = images.shape
    num_columns = min(num_columns, count)
    num_rows = -(-count // num_columns)
    shape = (3, num_rows * (height + gap) - gap, num_columns * (width + gap) - gap)
    grid = torch.ones(shape)
    for place, image in enumerate(images.detach().float().cpu()):
        row, column = divmod(place, num_columns)
        top, left = row * (height + gap), column * (width + gap)
        grid[:, top : top + height, left : left + width] = image
    return grid


def _without_ends(picture: Image.Image) -> Image.Image:
    longest = _MAX_ASPECT * min(picture.size)
    left, top = (max(0, side - longest) // 2 for side in picture.size)
    if not left and not top:
        return picture
    return picture.crop((left, top, picture.width - left, picture.height - top))
