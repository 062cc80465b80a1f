"""Images as patches in raster order, and back.

B images, R rows and C columns of patches, N = R C, P patch size.
"""

from torch import Tensor


def to_patches(images: Tensor, patch_size: int) -> Tensor:
    """(B, 3, R P, C P) -> (B, N, 3 P P), the numbers of a patch by channel, row, column."""
    batch, channels, height, width = images.shape
    rows, columns = height // patch_size, width // patch_size
    grid = images.view(batch, channels, rows, patch_size, columns, patch_size)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(batch, rows * columns, -1)


def from_patches(patches: Tensor, num_rows: int, patch_size: int) -> Tensor:
    """The inverse of `to_patches`: (B, N, 3 P P) -> (B, 3, R P, C P)."""
    batch, count, numbers = patches.shape
    channels, columns = numbers // patch_size**2, count // num_rows
    grid = patches.view(batch, num_rows, columns, channels, patch_size, patch_size)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(
        batch, channels, num_rows * patch_size, columns * patch_size
    )
