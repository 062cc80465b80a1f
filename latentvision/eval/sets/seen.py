"""Collects the features of a set of images, batch by batch, by several networks at once.

All of them stay in memory: 400 MB for 50,000 images and Inception's 2048 features.
B images, S image size.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from latentvision.eval.features import FeatureKind, Features
from latentvision.eval.sets.measure import FeatureSet
from latentvision.images.transforms import to_pixels


class SeenFeatures:
    """Features of the images seen so far, by every network."""

    def __init__(
        self, networks: Mapping[FeatureKind, Features], device: torch.device | str
    ) -> None:
        self._networks = networks
        self._device = torch.device(device)
        self._parts: dict[FeatureKind, list[Tensor]] = {kind: [] for kind in networks}

    def add(self, images: Tensor) -> None:
        """Computes the features of images (B, 3, S, S) in [-1, 1]."""
        pixels = to_pixels(images).to(self._device)
        for kind, network in self._networks.items():
            self._parts[kind].append(network(pixels).float().cpu())

    def sets(self, name: str) -> dict[FeatureKind, FeatureSet]:
        """All features so far, as a set of this name."""
        return {
            kind: FeatureSet(name, torch.cat(parts)) for kind, parts in self._parts.items() if parts
        }
