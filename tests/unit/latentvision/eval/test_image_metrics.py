"""PSNR, SSIM and the Frechet distance against their definitions; reports with holes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.scorer import MetricUnavailable
from latentvision.eval import reconstruction
from latentvision.eval.features import Features, load_features
from latentvision.eval.frechet import FrechetDistance, ImageSet
from latentvision.eval.image_scorer import Psnr, Ssim
from latentvision.eval.reconstruction import ReconstructionConfig, score_reconstruction
from latentvision.images.transforms import to_pixels
from tests.tiny_pictures import make_folder
from tests.tiny_tokenizer import make_tokenizer_directory, random_images


class Means(Features):
    """Mean, deviation and some pixels: four features that can be checked by hand."""

    num_features = 4
    title = "FD-means"
    description: dict[str, Any] = {"features": "four numbers"}  # noqa: RUF012

    def forward(self, images: Tensor) -> Tensor:
        flat = images.double().flatten(1)
        return torch.stack((flat.mean(1), flat.std(1), flat[:, 0], flat[:, 7]), dim=1) / 64


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


def test_the_distance_is_frechet_s(tmp_path: Path) -> None:
    pytest.importorskip("torch_fidelity")
    real, made = random_images(60, seed=1), 0.7 * random_images(40, seed=2) + 0.1
    distance = FrechetDistance(Means(), ImageSet("random images", torch.split(real, 25)))
    found = distance.measure(ImageSet("others", torch.split(made, 16)))
    sets = [Means()(to_pixels(images)).numpy() for images in (real, made)]
    means = [features.mean(axis=0) for features in sets]
    covariances = [np.cov(features, rowvar=False) for features in sets]
    root = np.real(sqrtm(covariances[0] @ covariances[1]))
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert found.description["reference"] == "random images"
    assert (found.description["num_reference"], found.description["num_samples"]) == (60, 40)
    assert found.held_against == "60 images of random images"
    again = distance.measure(ImageSet("the same", [real]))
    assert again.value == pytest.approx(0, abs=1e-4)
    assert distance.measure(ImageSet("others", [made])).value == pytest.approx(found.value)


def test_too_few_images_are_refused() -> None:
    pytest.importorskip("torch_fidelity")
    few = ImageSet("few", [random_images(4)])
    with pytest.raises(InputError, match="few has 4 images; expected more than 4"):
        FrechetDistance(Means(), few)


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
    assert features(to_pixels(random_images(2, size=32))).shape == (2, 2048)
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
        assert int(features.network._fc(pooled).argmax()) == 985


def test_a_report_of_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch_fidelity")

    def load(kind: str) -> Features:
        if kind == "inception":
            raise MetricUnavailable("no weights; get them")
        return Means()

    monkeypatch.setattr(reconstruction, "load_features", load)
    values = {
        "tokenizer_dir": make_tokenizer_directory(tmp_path),
        "source": {"kind": "folder", "path": make_folder(tmp_path / "pictures")},
        "max_images": 8,
        "batch_size": 3,
    }
    report = score_reconstruction(ReconstructionConfig.model_validate(values))
    assert report.holes == {"FID": "no weights; get them"}
    assert len(report.items) == 8
    assert {item.group for item in report.items} == {"dot", "stripe", "field"}
    psnr = report.metric("psnr")
    assert psnr.num_scored == 8
    assert psnr.interval is not None
    assert psnr.interval[0] < (psnr.value or 0) < psnr.interval[1]
    distance = report.metric("fd_efficientnet")
    assert distance.description["num_samples"] == 8
    assert str(tmp_path / "pictures") in distance.held_against
    read = EvalReport.from_dict(json.loads(json.dumps(report.to_dict())))
    assert read.metric("SSIM").value == report.metric("SSIM").value
    few = ReconstructionConfig.model_validate({**values, "max_images": 3})
    holes = score_reconstruction(few).holes
    assert "expected more than 4" in holes["FD-means"]
