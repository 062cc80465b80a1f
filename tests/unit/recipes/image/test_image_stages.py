"""The programs of the image stages, on a tiny model and toy pictures."""

import importlib
import json
from pathlib import Path

import pytest

from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentvision.data.sources.config import FolderConfig, open_source
from latentvision.eval import tools
from latentvision.eval.features import FeatureKind, Features
from latentvision.generation.generator import ImageSampling
from latentvision.generation.painter import Painter
from latentvision.images.transforms import center_crop, to_tensor
from latentvision.training.pack_generator import pack_generator
from recipes.image.pictures.toy import CLASSES, make_toy_pictures
from recipes.image.samples import Drawing, read_drawing, scale_folder
from recipes.image.source_option import parse_source
from tests.tiny_features import Means
from tests.tiny_image_runs import train_tiny

list_pictures = importlib.import_module("recipes.image.01_list_pictures")
draw_samples = importlib.import_module("recipes.image.06_draw_samples")
score_samples = importlib.import_module("recipes.image.08_score_samples")
SIZE = 16


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "pictures"
    make_toy_pictures(folder)
    return folder


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Painter:
    folder = tmp_path_factory.mktemp("model")
    run = train_tiny(folder, "lm", max_steps=2)
    pack_generator(run.exp_dir, folder / "model", sampling=ImageSampling(num_steps=2))
    return Painter.from_directory(folder / "model")


def test_a_source_is_one_line_of_yaml() -> None:
    assert parse_source("{kind: folder, path: /x y}") == FolderConfig(path=Path("/x y"))
    with pytest.raises(ConfigError, match="expected one line of YAML"):
        parse_source("/x")
    with pytest.raises(ConfigError, match="did you mean 'path'"):
        parse_source("{kind: folder, paht: /x}")


def test_pictures_are_counted_by_class(pictures: Path, tmp_path: Path) -> None:
    train, valid = (FolderConfig(path=pictures / part) for part in ("train", "valid"))
    found = list_pictures.list_pictures(train, valid)
    assert found["train"]["classes"] == dict.fromkeys(CLASSES, 30)
    assert found["valid"]["num_pictures"] == 30
    for name in ("cross", "disc"):
        (tmp_path / name).mkdir()
        source = pictures / "valid" / name / "000.png"
        (tmp_path / name / "0.png").write_bytes(source.read_bytes())
    with pytest.raises(DataError, match="'square' differs"):
        list_pictures.list_pictures(train, FolderConfig(path=tmp_path))
    with pytest.raises(DataError, match="10 of 10 pictures have no class"):
        list_pictures.survey(FolderConfig(path=pictures / "valid" / "disc"))


def drawing(painter: Painter, *scales: float) -> Drawing:
    return Drawing(
        cfg_scales=scales, per_class=2, seed=1, class_names=painter.class_names, model_hash="m"
    )


def test_samples_do_not_depend_on_processes_and_batches(painter: Painter, tmp_path: Path) -> None:
    plan = drawing(painter, 1.0, 2.0)
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    draw_samples.draw_share(painter, plan, alone, 100, 0, 1)
    for rank in range(2):
        draw_samples.draw_share(painter, plan, shared, 2, rank, 2)
    names = sorted(path.relative_to(alone) for path in alone.rglob("*.png"))
    assert len(names) == 2 * 2 * 3
    assert str(names[0]) == "cfg_1/ankle boot/00000.png"
    images = [
        [to_tensor(center_crop(open_source(FolderConfig(path=f / "cfg_1")).picture(i), SIZE))
         for i in range(6)]
        for f in (alone, shared)
    ]  # fmt: skip
    for one, other in zip(*images, strict=True):
        assert (one - other).abs().max() < 0.02


def test_a_killed_drawing_draws_what_is_missing(painter: Painter, tmp_path: Path) -> None:
    plan = drawing(painter, 1.0)
    draw_samples.draw_share(painter, plan, tmp_path, 100, 0, 1)
    kept, lost = (tmp_path / "cfg_1/sneaker" / f"0000{n}.png" for n in range(2))
    before, content = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    with pytest.raises(DataError, match=r"00001\.png is missing"):
        draw_samples.finish(plan, tmp_path)
    draw_samples.draw_share(painter, plan, tmp_path, 100, 0, 1)
    assert kept.stat().st_mtime_ns == before
    assert lost.read_bytes() == content
    draw_samples.finish(plan, tmp_path)
    assert read_drawing(tmp_path) == plan


def copy_samples(pictures: Path, folder: Path, shift: int) -> None:
    """The validation pictures as samples, `shift` levels brighter."""
    from PIL import Image

    for path in pictures.rglob("*.png"):
        target = folder / path.parent.name / f"{int(path.stem):05d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as picture:
            picture.point(lambda level: min(255, level + shift)).save(target)


def test_the_scale_of_the_smallest_distance_is_the_best(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid, samples = pictures / "valid", tmp_path / "samples"
    for scale, shift in ((1.0, 40), (1.5, 0), (3.0, 90)):
        copy_samples(valid, scale_folder(samples, scale), shift)
    plan = Drawing(
        cfg_scales=(1.0, 1.5, 3.0), per_class=10, seed=0, class_names=CLASSES, model_hash="m"
    )
    draw_samples.finish(plan, samples)

    def load(kind: FeatureKind, classifier: Path | None = None) -> Features:
        if kind == "inception":
            raise MetricUnavailable("no weights; fetch them")
        return Means()

    monkeypatch.setattr(tools, "load_features", load)
    score_samples.score_scales(
        samples,
        FolderConfig(path=valid),
        ["fid", "fd-efficientnet", "fd-classifier"],
        tmp_path / "scores",
    )
    sweep = json.loads((tmp_path / "scores/sweep.json").read_text())
    assert (sweep["best_cfg_scale"], sweep["decided_by"]) == (1.5, "FD-EffLite0")
    assert sweep["values"]["FD-EffLite0"]["3"] > sweep["values"]["FD-EffLite0"]["1"] > 1
    assert sweep["holes"] == {"FID": "no weights; fetch them"}
    assert "FD-Classifier" not in sweep["values"]  # no classifier was given
    report = json.loads((tmp_path / "scores/cfg_3.json").read_text())
    assert report["settings"]["cfg_scale"] == 3
    assert {metric["num_scored"] for metric in report["metrics"] if metric["value"]} == {30}
