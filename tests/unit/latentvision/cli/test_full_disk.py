"""A full disk is one line, and nothing that was there is lost, in every command that writes."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from latentspeech.core.storage.files import TEMPORARY_PREFIX
from latentspeech.core.train.state.checkpoint import newest_checkpoint
from latentvision.training.pack_generator import pack_generator
from tests.tiny_classifier import classifier_run, write_classifier
from tests.tiny_image_runs import train_tiny
from tests.tiny_pictures import encoded, make_folder
from tests.tiny_tokenizer import make_tokenizer_directory
from tests.unit.latentvision.cli.test_vision_commands import fails, latentvision
from tests.unit.latentvision.training.test_tokenizer_run import write_run

FULL = "no space left on the disk"


@contextlib.contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond this size, as on a disk that is about to be full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused_and_kept(folder: Path, size_bytes: int, *arguments: object) -> None:
    """The command fails with one line, and leaves every file of `folder` as it was."""
    before = files_of(folder)
    with files_limited_to(size_bytes):
        fails(FULL, *arguments)
    after = files_of(folder)
    assert {name: after.get(name) for name in before} == before
    assert not [name for name in after if TEMPORARY_PREFIX in name]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    pack_generator(train_tiny(folder, "dit", max_steps=2).exp_dir, folder / "shapes")
    return folder / "shapes"


def test_pictures_and_latents(tmp_path: Path) -> None:
    picture, latents, copy = (tmp_path / name for name in ("in.png", "z.safetensors", "copy.png"))
    picture.write_bytes(encoded(4, size=40))
    model = ("--model", make_tokenizer_directory(tmp_path), "--quiet")
    encode = ("tokenizer", "encode", picture, latents, *model)
    reconstruct = ("tokenizer", "reconstruct", picture, copy, *model)
    assert latentvision(*encode)[0] == 0
    assert latentvision(*reconstruct)[0] == 0
    decode = ("tokenizer", "decode", latents, copy, *model)
    for command in (encode, reconstruct, decode):
        refused_and_kept(tmp_path, 100, *command)


def test_samples(model: Path, tmp_path: Path) -> None:
    command = ("sample", "--model", model, "--num-steps", 1, "--num", 2, "--quiet")
    grid = (*command, "--out", tmp_path / "grid.png")
    assert latentvision(*grid)[0] == 0
    refused_and_kept(tmp_path, 100, *grid, "--seed", 1)
    folder = (*command, "--out-dir", tmp_path / "drawn", "--every-class")
    refused_and_kept(tmp_path, 100, *folder)
    assert latentvision(*folder)[0] == 0  # the same command goes on
    assert len(list((tmp_path / "drawn").rglob("*.png"))) == 6
    (tmp_path / "drawn" / "sneaker" / "000001.png").unlink()
    refused_and_kept(tmp_path, 100, *folder)
    assert latentvision(*folder)[0] == 0
    assert len(list((tmp_path / "drawn").rglob("*.png"))) == 6


def test_a_pack_leaves_the_old_model(model: Path, tmp_path: Path) -> None:
    run = train_tiny(tmp_path, "dit", max_steps=2)
    pack = ("pack", run.exp_dir, tmp_path / "model", "--quiet")
    assert latentvision(*pack)[0] == 0
    refused_and_kept(tmp_path, 5000, *pack)


def test_a_training_keeps_its_checkpoint(tmp_path: Path) -> None:
    command = ("train", "tokenizer", "--config", write_run(tmp_path), "--quiet", "--set")
    assert latentvision(*command, "train.max_steps=2")[0] == 0
    kept = newest_checkpoint(tmp_path / "exp")
    assert kept is not None
    with files_limited_to(20_000):
        fails(FULL, *command, "train.max_steps=4")
    assert newest_checkpoint(tmp_path / "exp") == kept
    assert latentvision(*command, "train.max_steps=4")[0] == 0


def test_a_classifier_is_written_by_the_next_start(tmp_path: Path) -> None:
    run = classifier_run(tmp_path, 2)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run.model_dump(mode="json")))
    command = ("train", "classifier", "--config", tmp_path / "run.yaml", "--quiet")
    assert latentvision(*command)[0] == 0
    refused_and_kept(run.exp_dir / "model", 3000, *command)
    assert latentvision(*command)[0] == 0


def test_shards_that_are_done_stay(tmp_path: Path) -> None:
    values = {
        "tokenizer_dir": str(make_tokenizer_directory(tmp_path)),
        "source": {"kind": "folder", "path": str(make_folder(tmp_path / "pictures"))},
        "out_dir": str(tmp_path / "latents"),
        "pictures_per_shard": 3,
    }
    (tmp_path / "extract.yaml").write_text(yaml.safe_dump(values))
    command = ("tokenizer", "extract", "--config", tmp_path / "extract.yaml", "--quiet")
    assert latentvision(*command)[0] == 0
    latents = tmp_path / "latents"
    whole = files_of(latents)
    last = latents / "latents-00002.safetensors"
    last.unlink()
    with files_limited_to(1000):
        fails(FULL, *command)
    done = {name: content for name, content in files_of(latents).items() if "0000" in name}
    assert done == {name: whole[name] for name in done}
    assert {"latents-00000.safetensors", "latents-00001.safetensors"} <= done.keys()
    assert not last.exists()
    assert latentvision(*command)[0] == 0
    assert files_of(latents) == whole


def test_a_report_and_its_picture(tmp_path: Path) -> None:
    pictures = make_folder(tmp_path / "pictures", 24)
    out, near = tmp_path / "report.json", tmp_path / "near.png"
    classifier = write_classifier(tmp_path / "classifier")
    command = ("score", pictures, "--metrics", "accuracy", "--classifier", classifier, "--quiet")
    options = ("--image-size", 16, "--out", out)
    assert latentvision(*command, *options)[0] == 0
    refused_and_kept(tmp_path, 1000, *command, *options)
    more = ("--neighbours", near, "--training", pictures)
    with files_limited_to(26_000):  # enough for the report
        fails(FULL, *command, *options, *more)
    assert not near.exists()
    assert "by_pixels" in out.read_text()  # nothing that was measured is lost
