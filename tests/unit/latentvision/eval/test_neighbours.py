"""Nearest training pictures: found by features and by pixels, whatever the batches, and drawn."""

from pathlib import Path

import numpy as np
import pytest
import torch

from latentspeech.core.errors import InputError
from latentvision.data.sources.folder import ImageFolder
from latentvision.eval.neighbours import find_neighbours
from latentvision.eval.picture_set import PictureSet
from latentvision.images.reading import read_picture
from latentvision.images.transforms import to_pixels
from latentvision.images.writing import read_provenance
from tests.tiny_features import Means
from tests.tiny_pictures import make_folder


@pytest.fixture
def sets(tmp_path: Path) -> tuple[PictureSet, PictureSet]:
    """12 samples: 9 of the 30 training pictures, and 3 others of them turned round."""
    samples = make_folder(tmp_path / "samples", 9)
    training = make_folder(tmp_path / "training", 30)
    for number in range(3):
        flipped = read_picture(training / "dot" / f"{3 * (number + 3):03d}.png").rotate(180)
        flipped.save(samples / "dot" / f"9{number:02d}.png")
    return (
        PictureSet(ImageFolder(samples), 20),
        PictureSet(ImageFolder(training), 20, batch_size=7),
    )


def test_neighbours_are_the_nearest_of_all(sets: tuple[PictureSet, PictureSet]) -> None:
    samples, training = sets
    seen: list[tuple[int, int]] = []
    found = find_neighbours(
        samples,
        training,
        Means(),
        num_shown=5,
        num_neighbours=3,
        progress=lambda done, of_all: seen.append((done, of_all)),
    )
    assert len(found.shown) == 5
    assert seen[-1] == (30, 30)
    real = torch.stack([training.image(i) for i in training.indices])
    made = torch.stack([samples.image(i) for i in found.shown])
    for nearest, values in (
        (found.by_pixels, [x.flatten(1).double().numpy() for x in (made, real)]),
        (found.by_features, [Means()(to_pixels(x)).numpy() for x in (made, real)]),
    ):
        distances = np.linalg.norm(values[0][:, None] - values[1][None], axis=-1)
        order = np.argsort(distances, axis=1)[:, :3]
        expected = np.take_along_axis(distances, order, axis=1)
        assert np.allclose(nearest.distances.numpy(), expected, atol=1e-6)
        indices = np.array(training.indices)[order]
        assert (nearest.indices.numpy()[expected > 1e-9] == indices[expected > 1e-9]).all()


def test_a_copy_is_at_distance_zero_and_named(sets: tuple[PictureSet, PictureSet]) -> None:
    samples, training = sets
    found = find_neighbours(samples, training, Means(), num_shown=12, num_neighbours=2)
    table = found.to_dict("four numbers")
    assert table["num_training"] == 30
    names = table["samples"]
    nearest = [row[0] for row in table["by_pixels"]]  # type: ignore[attr-defined]
    copied = {name: row for name, row in zip(names, nearest, strict=True) if "/9" not in name}
    assert len(copied) == 9
    assert all(row["id"] == name and row["distance"] == 0 for name, row in copied.items())
    turned = [row for name, row in zip(names, nearest, strict=True) if "/9" in name]
    assert all(row["distance"] > 1 for row in turned)


def test_the_picture_has_a_row_for_each_sample(
    sets: tuple[PictureSet, PictureSet], tmp_path: Path
) -> None:
    samples, training = sets
    found = find_neighbours(samples, training, Means(), num_shown=4, num_neighbours=2, seed=1)
    found.save(tmp_path / "near.png", "four numbers")
    picture = np.asarray(read_picture(tmp_path / "near.png"))
    assert picture.shape == (4 * 22 - 2, 7 * 22 - 2, 3)  # sample, gap, 2, gap, 2
    for row in range(4):
        cell = picture[22 * row : 22 * row + 20, :20]
        expected = to_pixels(samples.image(found.shown[row])).permute(1, 2, 0).numpy()
        assert (cell == expected).all()
        cell = picture[22 * row : 22 * row + 20, 5 * 22 : 5 * 22 + 20]
        nearest = training.image(int(found.by_pixels.indices[row, 0]))
        assert (cell == to_pixels(nearest).permute(1, 2, 0).numpy()).all()
    assert "by the features of four numbers" in read_provenance(tmp_path / "near.png")["Comment"]


def test_too_few_training_pictures_are_refused(sets: tuple[PictureSet, PictureSet]) -> None:
    samples, training = sets
    few = PictureSet(training.source, 20, max_pictures=3)
    with pytest.raises(InputError, match="has 3 pictures; expected at least 4"):
        find_neighbours(samples, few, Means())
