"""Reading every kind of ordinary picture, ADM's crop, and writing."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentspeech.core.errors import InputError
from latentvision.images import reading
from latentvision.images.reading import decode_picture, read_picture
from latentvision.images.transforms import center_crop, flip, make_grid, to_pixels, to_tensor
from latentvision.images.writing import read_provenance, write_png

RED, WHITE = (255, 0, 0), (255, 255, 255)


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def decoded(picture: Image.Image, kind: str = "PNG", **options) -> Image.Image:
    result = decode_picture(encoded(picture, kind, **options), "picture")
    assert result.mode == "RGB"
    return result


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG"])
def test_formats_by_their_content(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.dat"
    path.write_bytes(encoded(Image.new("RGB", (5, 4), RED), kind))
    picture = read_picture(path)
    assert picture.size == (5, 4)
    assert np.abs(np.asarray(picture).astype(int) - np.array(RED)).max() <= 3


def test_grey_of_1_8_and_16_bits() -> None:
    ramp = np.array([[0, 128, 255]], dtype=np.uint8)
    assert np.asarray(decoded(Image.fromarray(ramp)))[0, :, 0].tolist() == [0, 128, 255]
    deep = np.array([[0, 128 * 257, 0xFFFF]], dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        grey = np.asarray(decoded(Image.fromarray(deep), kind))
        assert grey[0].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    wide = Image.fromarray(deep.astype(np.int32))
    assert np.asarray(decoded(wide, "TIFF"))[0, :, 1].tolist() == [0, 128, 255]
    assert decoded(Image.new("1", (2, 2), 1)).getpixel((1, 1)) == WHITE


def test_palette_and_cmyk() -> None:
    palette = Image.new("RGB", (4, 4), RED).convert("P", palette=Image.Palette.ADAPTIVE)
    assert decoded(palette).getpixel((0, 0)) == RED
    red, green, blue = decoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF").getpixel((3, 3))
    assert red > 200
    assert max(green, blue) < 60


def test_transparency_lies_over_white() -> None:
    half = Image.new("RGBA", (1, 2), (255, 0, 0, 128))
    half.putpixel((0, 1), (0, 255, 0, 0))
    picture = decoded(half)
    assert picture.getpixel((0, 0)) == (255, 127, 127)
    assert picture.getpixel((0, 1)) == WHITE
    grey = decoded(Image.new("LA", (1, 1), (0, 0)))
    assert grey.getpixel((0, 0)) == WHITE
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.putpixel((1, 0), 1)
    listed = decoded(palette, "PNG", transparency=0)
    assert [listed.getpixel((x, 0)) for x in (0, 1)] == [WHITE, RED]


def test_a_camera_s_rotation_is_applied() -> None:
    picture = Image.new("RGB", (4, 2), WHITE)
    picture.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rows become columns
    turned = decoded(picture, "PNG", exif=exif)
    assert turned.size == (2, 4)
    assert turned.getpixel((1, 0)) == RED


def test_damaged_exif_does_not_cost_the_picture(caplog: pytest.LogCaptureFixture) -> None:
    assert decoded(Image.new("RGB", (4, 2), RED), "PNG", exif=b"nonsense").size == (4, 2)
    assert "EXIF is damaged" in caplog.text


def test_the_first_frame_of_an_animation_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    frames = [Image.new("RGB", (3, 3), color) for color in (RED, (0, 0, 255))]
    picture = decoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert picture.getpixel((1, 1)) == RED
    assert "several frames" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"not a picture at all", "is not a picture"),
        (encoded(noise(64, 64))[:2000], "truncated or damaged"),
        (encoded(noise(64, 64), "JPEG")[:1000], "truncated or damaged"),
        (encoded(noise(64, 64), "WEBP")[:500], "picture"),
        (encoded(noise(64, 64))[:60] + bytes(3000), "picture"),
        (encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"), "floating-point"),
        (encoded(Image.fromarray(np.full((2, 2), -1, np.int32)), "TIFF"), "0 to 65535"),
    ],
)
def test_broken_pictures_are_one_line(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        decode_picture(content, "the.png")
    assert "the.png" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(InputError, match="is a folder"):
        read_picture(tmp_path)


@pytest.mark.parametrize("limit", [99, 20])  # the second is beyond what Pillow itself refuses
def test_huge_pictures_are_refused_unread(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(noise(10, 10))
    monkeypatch.setattr(reading, "MAX_PIXELS", limit)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(InputError, match="million pixels"):
        decode_picture(content, "huge")


def test_tensors_and_pixels_are_inverse() -> None:
    picture = noise(7, 5)
    image = to_tensor(picture)
    assert image.shape == (3, 5, 7)
    assert float(image.min()) >= -1
    assert float(image.max()) <= 1
    assert (to_pixels(image).permute(1, 2, 0).numpy() == np.asarray(picture)).all()
    assert to_pixels(torch.tensor([[-3.0, 3.0]])).tolist() == [[0, 255]]


def test_center_crop_takes_the_middle() -> None:
    picture = Image.new("RGB", (300, 100), WHITE)
    picture.paste(RED, (100, 0, 200, 100))
    assert np.asarray(center_crop(picture, 100)).reshape(-1, 3).tolist() == [list(RED)] * 10_000
    exact = noise(32, 32)
    assert (np.asarray(center_crop(exact, 32)) == np.asarray(exact)).all()


def test_center_crop_halves_by_a_box_first() -> None:
    picture = noise(128, 128)
    halves = np.asarray(picture, dtype=float).reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    assert (
        np.abs(np.asarray(center_crop(picture, 32)).astype(float) - halves).max() < 2
    )  # two roundings


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (33, 47)])
def test_odd_sizes_give_a_square(size: tuple[int, int]) -> None:
    assert center_crop(Image.new("RGB", size, RED), 64).size == (64, 64)


def test_flip_and_grid() -> None:
    image = to_tensor(noise(3, 2))
    assert torch.equal(flip(image)[:, :, 0], image[:, :, 2])
    images = torch.stack([image, flip(image), image * 0]) * 0.9
    grid = make_grid(images, num_columns=2, gap=1)
    assert grid.shape == (3, 5, 7)
    assert torch.equal(grid[:, :2, 4:], images[1])
    assert torch.equal(grid[:, 3:, :3], images[2])
    assert bool((grid[:, :, 3] == 1).all())
    assert make_grid(images[:1], 8).shape == (3, 2, 3)


def test_png_round_trip_with_provenance(tmp_path: Path) -> None:
    path, picture = tmp_path / "out.png", noise(6, 4)
    write_png(path, to_tensor(picture), {"Software": "latentvision", "Comment": "seed 1, e\u0301"})
    assert (np.asarray(read_picture(path)) == np.asarray(picture)).all()
    assert read_provenance(path)["Comment"] == "seed 1, e\u0301"


def test_bad_output_names_and_pixels_leave_nothing(tmp_path: Path) -> None:
    image = torch.zeros(3, 2, 2)
    with pytest.raises(InputError, match="does not end with"):
        write_png(tmp_path / "out.jpg", image, {})
    with pytest.raises(InputError, match="does not exist"):
        write_png(tmp_path / "no" / "out.png", image, {})
    with pytest.raises(InputError, match="NaN"):
        write_png(tmp_path / "out.png", image / 0, {})
    assert list(tmp_path.iterdir()) == []
