"""Odd pictures work and bad ones are one line, through every command that reads pictures."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from latentvision.images import reading
from latentvision.images.reading import read_picture
from tests.tiny_classifier import classifier_run, write_classifier
from tests.tiny_pictures import encoded, make_folder
from tests.tiny_tokenizer import make_tokenizer_directory
from tests.unit.latentvision.cli.test_vision_commands import fails, latentvision
from tests.unit.latentvision.training.test_tokenizer_run import write_run

pytest.importorskip("torch_fidelity")


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def plain(width: int = 20, height: int = 20) -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


FRAMES = [plain(20), plain(21).resize((20, 20))]
ODD: dict[str, bytes] = {
    "animated.gif": saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "deep.png": saved(Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20) * 160)),
    "ink.tiff": saved(plain().convert("CMYK"), "TIFF"),
    "palette.png": saved(plain().convert("P", palette=Image.Palette.ADAPTIVE)),
    "clear.png": saved(plain().convert("RGBA")),
    "dot.bmp": saved(plain(1, 1), "BMP"),
    "long.webp": saved(plain(300, 2), "WEBP"),
}
BAD: dict[str, tuple[bytes, str]] = {
    "broken.png": (encoded(4)[:200], "truncated or damaged"),
    "empty.jpg": (b"", "is empty"),
    "text.png": (b"no picture at all", "is not a picture"),
    "numbers.tiff": (saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "floating"),
    "huge.png": (saved(plain(70, 70)), "has more than 0 million pixels"),
}


@pytest.fixture(autouse=True)
def _little_is_huge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_PIXELS", 64 * 64)


def write_yaml(path: Path, values: object) -> Path:
    path.write_text(yaml.safe_dump(json.loads(json.dumps(values, default=str))))
    return path


def extract_command(folder: Path, pictures: Path) -> tuple[object, ...]:
    values = {
        "tokenizer_dir": make_tokenizer_directory(folder),
        "source": {"kind": "folder", "path": pictures},
        "out_dir": folder / "latents",
    }
    return ("tokenizer", "extract", "--config", write_yaml(folder / "extract.yaml", values))


def tokenizer_score_command(folder: Path, pictures: Path) -> tuple[object, ...]:
    values = {
        "tokenizer_dir": make_tokenizer_directory(folder),
        "source": {"kind": "folder", "path": pictures},
        "metrics": ["psnr"],
    }
    config = write_yaml(folder / "score.yaml", values)
    return ("tokenizer", "score", "--config", config, "--out", folder / "report.json")


def train_tokenizer_command(folder: Path, pictures: Path) -> tuple[object, ...]:
    source = f"data.train_source={{kind: folder, path: {pictures}}}"
    changes = ("--set", source, "--set", "data.batch_size=20", "--set", "train.max_steps=1")
    return ("train", "tokenizer", "--config", write_run(folder), *changes, "--quiet")


def train_classifier_command(folder: Path, pictures: Path) -> tuple[object, ...]:
    run = classifier_run(folder, 1).model_dump(mode="json")
    run["data"] |= {"train_source": {"kind": "folder", "path": str(pictures)}, "batch_size": 20}
    run["data"]["test_source"] = {"kind": "folder", "path": str(pictures)}
    config = write_yaml(folder / "run.yaml", run)
    return ("train", "classifier", "--config", config, "--quiet")


def reference_command(folder: Path, pictures: Path) -> tuple[object, ...]:
    classifier = write_classifier(folder / "classifier")
    samples = make_folder(folder / "samples", 24)
    command = ("score", samples, "--reference", pictures, "--metrics", "precision-classifier")
    return (*command, "--classifier", classifier, "--image-size", 16)


def neighbours_command(folder: Path, pictures: Path) -> tuple[object, ...]:
    classifier = write_classifier(folder / "classifier")
    samples = make_folder(folder / "samples", 24)
    command = ("score", samples, "--metrics", "accuracy", "--classifier", classifier)
    drawn = ("--neighbours", folder / "near.png", "--training", pictures, "--image-size", 16)
    return (*command, *drawn)


READERS: list[Callable[[Path, Path], tuple[object, ...]]] = [
    extract_command,
    tokenizer_score_command,
    train_tokenizer_command,
    train_classifier_command,
    reference_command,
    neighbours_command,
]


def pictures_with(folder: Path, files: dict[str, bytes]) -> Path:
    """Classes of ordinary pictures, with these files in the first."""
    pictures = make_folder(folder / "mixed", 6)
    for name, content in files.items():
        (pictures / "dot" / name).write_bytes(content)
    return pictures


@pytest.mark.parametrize("name", ODD)
def test_an_odd_picture_is_encoded_and_copied(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(ODD[name])
    model = ("--model", make_tokenizer_directory(tmp_path), "--quiet")
    latents, copy = tmp_path / "z.safetensors", tmp_path / "copy.png"
    assert latentvision("tokenizer", "encode", tmp_path / name, latents, *model)[0] == 0
    assert latentvision("tokenizer", "reconstruct", tmp_path / name, copy, *model)[0] == 0
    assert read_picture(copy).size == (16, 16)


@pytest.mark.parametrize("command", READERS)
def test_odd_pictures_are_read_by_every_command(
    command: Callable[[Path, Path], tuple[object, ...]], tmp_path: Path
) -> None:
    code, _, error = latentvision(*command(tmp_path, pictures_with(tmp_path, ODD)))
    assert code == 0, error


def test_odd_samples_are_scored(tmp_path: Path) -> None:
    pictures = pictures_with(tmp_path, ODD)
    classifier = write_classifier(tmp_path / "classifier")
    code, out, _ = latentvision(
        *("score", pictures, "--metrics", "accuracy", "--classifier", classifier),
        *("--image-size", 16, "--json"),
    )
    assert code == 0
    assert json.loads(out)["metrics"][0]["num_scored"] == 6 + len(ODD)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_refused(name: str, tmp_path: Path) -> None:
    content, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    model = ("--model", make_tokenizer_directory(tmp_path))
    out = (tmp_path / "z.safetensors", tmp_path / "copy.png")
    fails(words, "tokenizer", "encode", tmp_path / name, out[0], *model)
    fails(words, "tokenizer", "reconstruct", tmp_path / name, out[1], *model)
    assert not any(path.exists() for path in out)


@pytest.mark.parametrize("command", READERS)
def test_a_bad_picture_is_named_by_every_command(
    command: Callable[[Path, Path], tuple[object, ...]], tmp_path: Path
) -> None:
    pictures = pictures_with(tmp_path, {"broken.png": BAD["broken.png"][0]})
    if command is tokenizer_score_command:  # copies are samples: it is a failure in the report
        arguments = command(tmp_path, pictures)
        assert latentvision(*arguments, "--quiet")[0] == 0
        report = json.loads((tmp_path / "report.json").read_text())
        assert [failure["id"] for failure in report["failures"]] == ["dot/broken"]
        return
    fails("broken.png is truncated or damaged", *command(tmp_path, pictures))
    assert not (tmp_path / "near.png").exists()


@pytest.mark.parametrize("command", [extract_command, train_tokenizer_command])
def test_bad_pictures_may_be_left_out(
    command: Callable[[Path, Path], tuple[object, ...]], tmp_path: Path
) -> None:
    pictures = pictures_with(tmp_path, {name: content for name, (content, _) in BAD.items()})
    key = "skip_bad" if command is extract_command else "data.skip_bad"
    code, _, error = latentvision(*command(tmp_path, pictures), "--set", f"{key}=true")
    assert code == 0, error


def test_bad_samples_are_failures_beside_the_others(tmp_path: Path) -> None:
    pictures = pictures_with(tmp_path, {name: content for name, (content, _) in BAD.items()})
    classifier = write_classifier(tmp_path / "classifier")
    code, out, _ = latentvision(
        *("score", pictures, "--metrics", "accuracy", "--classifier", classifier),
        *("--image-size", 16, "--json"),
    )
    assert code == 1
    report = json.loads(out)
    assert {failure["id"] for failure in report["failures"]} == {
        f"dot/{name.partition('.')[0]}" for name in BAD
    }
    assert report["metrics"][0]["num_scored"] == 6
    assert report["metrics"][0]["num_failed"] == len(BAD)


@pytest.mark.parametrize("command", READERS)
def test_an_empty_folder_is_one_line(
    command: Callable[[Path, Path], tuple[object, ...]], tmp_path: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    fails("has no pictures", *command(tmp_path, tmp_path / "nothing"))


def test_a_directory_of_another_model_is_one_line(tmp_path: Path) -> None:
    tokenizer, classifier = make_tokenizer_directory(tmp_path), tmp_path / "classifier"
    write_classifier(classifier)
    (tmp_path / "in.png").write_bytes(encoded(4))
    copy = ("tokenizer", "reconstruct", tmp_path / "in.png", tmp_path / "out.png", "--model")
    fails("holds a model of kind 'image_classifier'; expected 'image_tokenizer'", *copy, classifier)
    sample = ("sample", "--out", tmp_path / "out.png", "--model")
    fails("holds a model of kind 'image_tokenizer'; expected 'image_generator'", *sample, tokenizer)
    pictures = make_folder(tmp_path / "pictures")
    score = ("score", pictures, "--metrics", "accuracy", "--classifier")
    fails("holds a model of kind 'image_tokenizer'; expected 'image_classifier'", *score, tokenizer)
    weights = classifier / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    fails("is truncated or not a safetensors file", *score, classifier)
