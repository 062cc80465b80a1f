"""What defines the fixed positions of a grid."""

import math

import pytest
import torch

from latentspeech.core.nn.sine_positions import grid_positions, line_positions

ROWS, COLUMNS, WIDTH = 5, 7, 32


def grid() -> torch.Tensor:
    return grid_positions(ROWS, COLUMNS, WIDTH).view(ROWS, COLUMNS, WIDTH)


def test_shape_and_order_are_those_of_a_page() -> None:
    positions = grid_positions(ROWS, COLUMNS, WIDTH)
    assert positions.shape == (ROWS * COLUMNS, WIDTH)
    assert positions.dtype == torch.float32
    assert len(positions.unique(dim=0)) == ROWS * COLUMNS
    square = grid_positions(ROWS, ROWS, WIDTH).view(ROWS, ROWS, WIDTH)
    swapped = torch.cat(square.split(WIDTH // 2, dim=-1)[::-1], dim=-1)
    assert torch.equal(square.transpose(0, 1), swapped)


def test_the_first_half_tells_the_row_and_the_second_the_column() -> None:
    rows, columns = grid().chunk(2, dim=-1)
    assert torch.equal(rows, line_positions(ROWS, WIDTH // 2)[:, None].expand_as(rows))
    assert torch.equal(columns, line_positions(COLUMNS, WIDTH // 2)[None].expand_as(columns))


def test_a_line_is_sines_and_cosines_of_geometric_wavelengths() -> None:
    line = line_positions(9, 8)
    for position in range(9):
        for wave in range(4):
            angle = position / 10_000 ** (wave / 4)
            assert line[position, wave].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert line[position, 4 + wave].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_likeness_depends_on_the_distance_alone() -> None:
    products = torch.einsum("rcd,xyd->rcxy", grid(), grid())
    torch.testing.assert_close(products[0, 0, 2, 3], products[2, 4, 4, 1])
    for down in range(ROWS):
        for right in range(COLUMNS):
            pairs = products[: ROWS - down, : COLUMNS - right, down:, right:]
            shifted = pairs.diagonal(dim1=0, dim2=2).diagonal(dim1=0, dim2=1)
            torch.testing.assert_close(shifted, shifted[:1, :1].expand_as(shifted))
    torch.testing.assert_close(products[1, 1, 1, 1], torch.tensor(WIDTH / 2))
    assert products.flatten(2).argmax(dim=-1).tolist() == [
        [row * COLUMNS + column for column in range(COLUMNS)] for row in range(ROWS)
    ]


def test_a_shift_is_one_rotation_wherever_it_starts() -> None:
    quarter = WIDTH // 4
    sines, cosines = grid()[..., :quarter], grid()[..., quarter : 2 * quarter]
    step = line_positions(2, WIDTH // 2)[1]  # of one row: the sines and cosines of the rotation
    turned = sines[:-1] * step[quarter:] + cosines[:-1] * step[:quarter]
    torch.testing.assert_close(turned, sines[1:], rtol=1e-5, atol=1e-6)


def test_an_odd_width_says_so() -> None:
    with pytest.raises(ValueError, match="model_dim is 30; expected a multiple of 4"):
        grid_positions(2, 2, 30)
