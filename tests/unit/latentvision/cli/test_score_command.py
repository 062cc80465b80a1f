"""`latentvision score`, `train classifier` and folders of samples: results and one-line errors."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from latentspeech.core.eval.report import EvalReport
from latentvision.images.reading import read_picture
from latentvision.images.writing import read_provenance
from latentvision.training.pack_generator import pack_generator
from tests.tiny_classifier import classifier_run, write_classifier
from tests.tiny_image_runs import CLASS_NAMES, train_tiny
from tests.tiny_pictures import make_folder
from tests.unit.latentvision.cli.test_vision_commands import fails, latentvision

pytest.importorskip("torch_fidelity")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    pack_generator(train_tiny(folder, "dit", max_steps=2).exp_dir, folder / "shapes")
    return folder / "shapes"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path / "samples", 24)
    make_folder(tmp_path / "real", 30)
    write_classifier(tmp_path / "classifier")
    return tmp_path


def score(folder: Path, metrics: str, *more: object) -> tuple[int, str, str]:
    return latentvision(
        *("score", folder / "samples", "--reference", folder / "real", "--metrics", metrics),
        *("--classifier", folder / "classifier", "--image-size", 16, *more),
    )


def test_a_report_on_paper_and_on_screen(folder: Path) -> None:
    out = folder / "report.json"
    code, text, error = score(folder, "kid-classifier,recognised,psnr", "--out", out)
    assert (code, error) == (0, "")
    assert "| KID-Classifier |" in text
    report = EvalReport.read(out)
    assert report.metric("kid-classifier").description["num_reference"] == 30
    assert report.settings["samples"] == str(folder / "samples")
    assert (folder / "report.md").read_text() == text
    code, text, _ = score(folder, "kid-classifier,recognised,psnr", "--json")
    assert code == 0
    values = {row["key"]: row["value"] for row in json.loads(text)["metrics"]}
    assert values == {metric.key: metric.value for metric in report.metrics}
    assert values["psnr"] == pytest.approx(58.92, abs=0.01)  # the first 24 of the 30
    assert score(folder, "psnr", "--quiet")[:2] == (0, "")


def test_holes_and_failures_are_named_and_exit_with_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.delenv("LATENTSPEECH_WEIGHTS", raising=False)
    monkeypatch.delenv("LATENTSPEECH_DOWNLOAD", raising=False)
    code, text, _ = score(folder, "fid,is,psnr")
    assert code == 1
    assert "- FID: the weights inception-fid are not on this machine; download" in text
    assert "- IS: the weights inception-fid" in text
    assert "| PSNR | 58.9" in text
    (folder / "samples" / "dot" / "000.png").write_bytes(b"broken")
    code, text, error = score(folder, "psnr")
    assert (code, error) == (1, "")
    assert "- dot/000, all:" in text
    assert "| 23 | 1 |" in text


def test_neighbours_are_drawn_and_listed(folder: Path) -> None:
    png, out = folder / "near.png", folder / "report.json"
    more = ("--neighbours", png, "--training", folder / "real", "--out", out)
    assert score(folder, "accuracy", *more)[0] == 0
    assert read_picture(png).size == (11 * 18 - 2, 16 * 18 - 2)
    table = EvalReport.read(out).settings["neighbours"]
    assert len(table["samples"]) == 16
    assert table["by_pixels"][0][0]["distance"] == 0  # every sample is a training picture
    assert table["network"] == "classifier"


def test_wrong_requests_are_one_line(folder: Path) -> None:
    samples, real = folder / "samples", folder / "real"
    fails("no pictures given", "score")
    fails("does not exist; expected pictures", "score", folder / "none", "--reference", real)
    fails("unknown metric 'psnrr'; did you mean psnr", "score", samples, "--metrics", "psnrr")
    fails("psnr needs originals of the same names", "score", samples, "--metrics", "psnr")
    fails("give --classifier DIR", "score", samples, "--metrics", "accuracy")
    accuracy = ("score", samples, "--metrics", "accuracy", "--classifier")
    fails("no model directory at", *accuracy, folder / "none")
    fails("config.yaml is missing", *accuracy, samples)
    fails(
        "images have 20 x 20 pixels; the classifier takes 16 x 16", *accuracy, folder / "classifier"
    )
    one = ("score", samples, "--metrics", "is-efficientnet")
    fails("expected the suffix .json", *one, "--out", folder / "report.txt")
    fails("does not exist", *one, "--out", folder / "no" / "report.json")
    fails("belong together", *one, "--neighbours", folder / "near.png")
    fails("device 'tpu' is not known", *one, "--device", "tpu")
    (folder / "empty").mkdir()
    fails("has no pictures", "score", folder / "empty", "--metrics", "is-efficientnet")


def test_metrics_are_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.delenv("LATENTSPEECH_WEIGHTS", raising=False)
    code, text, _ = latentvision("score", "--list-metrics", "--json")
    assert code == 0
    rows = {row["name"]: row["missing"] for row in json.loads(text)}
    assert rows["psnr"] is None
    assert "inception-fid" in rows["fid"]
    assert "--classifier DIR" in rows["accuracy"]
    _, text, _ = latentvision("score", "--list-metrics", "--classifier", folder / "classifier")
    listed = text.split("recognised", 1)[1].splitlines()
    assert listed[1].strip() == "available"


def test_a_classifier_is_trained_and_described(tmp_path: Path) -> None:
    run = classifier_run(tmp_path, 3)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run.model_dump(mode="json")))
    command = ("train", "classifier", "--config", tmp_path / "run.yaml", "--json", "--quiet")
    code, out, _ = latentvision(*command)
    assert code == 0
    assert json.loads(out)["step"] == 3
    _, out, _ = latentvision("models", run.exp_dir / "model", "--json")
    (row,) = json.loads(out)
    assert (row["kind"], row["num_classes"], row["image_size"]) == ("classifier", 3, 16)
    _, out, _ = latentvision("models", run.exp_dir / "model")
    assert "of test pictures right" in out


def test_a_folder_of_samples_can_be_gone_on_with(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn"
    command = ("sample", "--model", model, "--out-dir", out, "--num-steps", 2, "--json")
    code, text, _ = latentvision(*command, "--every-class", "--num", 3)
    assert code == 0
    assert (json.loads(text)["num"], json.loads(text)["drawn"]) == (9, 9)
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert files == sorted(f"{name}/00000{n}.png" for name in CLASS_NAMES for n in range(3))
    before = {name: (out / name).read_bytes() for name in files}
    assert len(set(before.values())) == 9
    (out / files[4]).unlink()
    _, text, _ = latentvision(*command, "--every-class", "--num", 4)
    assert json.loads(text)["drawn"] == 4
    for name in files:
        again = np.asarray(read_picture(out / name)).astype(int)
        (tmp_path / "old.png").write_bytes(before[name])
        assert np.abs(again - np.asarray(read_picture(tmp_path / "old.png"))).max() <= 1
    comment = read_provenance(out / "sneaker" / "000002.png")["Comment"]
    assert comment.startswith("drawn by model shapes: class sneaker, seed ")
    assert comment.endswith(", picture 2")
    fails("is another picture", *command[:-1], "--every-class", "--num", 3, "--seed", 1)
    fails("no class 'sneakr'; did you mean 'sneaker'", *command[:-1], "--label", "sneakr")
    fails("num is 0; expected at least 1", *command[:-1], "--num", 0)
    fails("give --out-dir, and no --label", "sample", "--model", model, "--every-class")
    (out / files[0]).write_bytes(b"cut")
    fails("is no whole picture", *command[:-1], "--every-class", "--num", 3)


def test_samples_are_scored_from_their_folder(model: Path, tmp_path: Path) -> None:
    """The classes that a generator draws are those that the classifier judges, by name."""
    out = tmp_path / "drawn"
    draw = ("sample", "--model", model, "--num-steps", 2, "--out-dir", out, "--every-class")
    assert latentvision(*draw, "--num", 2, "--quiet")[0] == 0
    classifier = write_classifier(tmp_path / "classifier")
    text = (classifier / "config.yaml").read_text()
    for old, new in zip(("dot", "stripe", "field"), CLASS_NAMES, strict=True):
        text = text.replace(f"- {old}\n", f"- {new}\n")
    (classifier / "config.yaml").write_text(text)
    code, text, error = latentvision(
        *("score", out, "--metrics", "accuracy,recognised", "--classifier", classifier, "--json")
    )
    assert (code, error) == (0, "")
    report = json.loads(text)
    assert [row["num_scored"] for row in report["metrics"]] == [6, 6]
    assert {item["group"] for item in report["items"]} == set(CLASS_NAMES)
