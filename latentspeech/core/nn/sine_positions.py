"""Fixed sine and cosine positions of a grid, added to the patches of an image.

The first half of the channels encodes the row, the second half the column, each with the sines and
cosines of Vaswani et al. 2017 (arXiv 1706.03762) at wavelengths from 2 pi to 10,000 x 2 pi. DiT
(Peebles and Xie 2023, arXiv 2212.09748) and MAE (He et al. 2021, arXiv 2111.06377) do the same;
their public code puts the column first.

R rows, C columns, D model width.
"""

import torch
from torch import Tensor

MAX_PERIOD = 10_000.0


def grid_positions(num_rows: int, num_columns: int, model_dim: int) -> Tensor:
    """Float32 (R C, D), for patches in reading order, row by row.

    Raises:
        ValueError: the width is not a multiple of 4.
    """
    if model_dim % 4:
        raise ValueError(
            f"model_dim is {model_dim}; expected a multiple of 4, because rows and columns have a "
            "sine and a cosine each at every wavelength; choose such a width"
        )
    rows = line_positions(num_rows, model_dim // 2)[:, None]  # (R, 1, D / 2)
    columns = line_positions(num_columns, model_dim // 2)[None]  # (1, C, D / 2)
    shape = (num_rows, num_columns, model_dim // 2)
    return torch.cat((rows.expand(shape), columns.expand(shape)), dim=-1).flatten(0, 1)


def line_positions(length: int, width: int) -> Tensor:
    """Sines, then cosines, of 0 to `length` - 1: float32 (length, width), `width` even."""
    index = torch.arange(length, dtype=torch.float64)[:, None]
    exponents = torch.arange(width // 2, dtype=torch.float64) / (width // 2)
    angles = index * MAX_PERIOD**-exponents  # (length, width / 2)
    return torch.cat((angles.sin(), angles.cos()), dim=-1).float()
