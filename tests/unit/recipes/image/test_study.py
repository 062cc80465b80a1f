"""The study in miniature: its plan, one run of it, and the report."""

import json
from pathlib import Path

import pytest
import yaml

from latentspeech.core.config import load_config, parse_config, read_yaml
from latentvision.generation.build import ModelConfig
from latentvision.training.generator_run import GeneratorRunConfig
from recipes.image.pictures.toy import make_toy_pictures
from recipes.image.study import run as study_run
from recipes.image.study.plan import (
    Run,
    StudyConfig,
    all_runs,
    model_settings,
    posterior_settings,
)
from recipes.image.study.report import plot, read_points, table
from tests.tiny_features import Means
from tests.unit.recipes.shell import ROOT

CONF = ROOT / "egs/fashion/conf/study"
SIDE = {"model_dim": 32, "num_layers": 1, "num_heads": 2, "ffn_dim": 64}


@pytest.fixture(scope="module")
def study() -> StudyConfig:
    return load_config(StudyConfig, CONF / "study.yaml")


def test_the_first_seed_has_every_setting_before_the_second_begins(study: StudyConfig) -> None:
    runs = list(all_runs(study))
    assert len(set(runs)) == len(runs) == 3 * (6 * 2 + 4 + 2 * 2)
    seeds = [run.seed for run in runs]
    assert seeds == sorted(seeds)
    of_seed = [{run._replace(seed=0) for run in runs if run.seed == seed} for seed in study.seeds]
    assert of_seed[0] == of_seed[1] == of_seed[2]
    assert len({run.name for run in runs}) == len(runs)


@pytest.mark.parametrize("model", ["lm", "dit", "givt", "mar", "sphere", "vq"])
def test_every_model_has_a_configuration(study: StudyConfig, model: str) -> None:
    values = read_yaml(CONF / study.generator)
    settings = model_settings(study, Run("heads", "sigma_0.75", model, "small", 0), values["model"])
    found: ModelConfig = parse_config(GeneratorRunConfig, values | {"model": settings}).model
    assert found.backbone.model_dim == study.widths["small"]
    assert found.kind == ("lm" if model == "sphere" else model)
    assert getattr(found, "fixed_norm", False) == (model == "sphere")


def test_posteriors_by_name(study: StudyConfig) -> None:
    assert posterior_settings(study, "sigma_0.03") == {"kind": "fixed", "sigma_std": 0.03}
    assert posterior_settings(study, "learned")["kind"] == "learned"
    assert posterior_settings(study, "vq")["kind"] == "vq"


def small_study(folder: Path) -> Path:
    """The study of egs/fashion with toy pictures and networks."""
    make_toy_pictures(folder / "pictures")
    tokenizer = read_yaml(CONF / "tokenizer.yaml")
    tokenizer["tokenizer"] |= {"image_size": 16, "patch_size": 4, "encoder": SIDE, "decoder": SIDE}
    tokenizer["train"] |= {"max_steps": 2}
    generator = read_yaml(CONF / "lm.yaml")
    generator["model"]["backbone"] |= {"num_layers": 1, "num_heads": 2, "num_kv_heads": 2}
    generator["data"] |= {"batch_size": 4}
    generator["sampling"] = {"num_steps": 2}
    values = read_yaml(CONF / "study.yaml") | {
        "train_source": {"kind": "folder", "path": str(folder / "pictures/train")},
        "valid_source": {"kind": "folder", "path": str(folder / "pictures/valid")},
        "sigmas": [0.5],
        "head_sigma": 0.5,
        "seeds": [0],
        "widths": {"medium": 32},
        "compute_tflop": 2e-4,
        "per_class": 2,
        "cfg_scales": [1.0, 2.0],
    }
    for name, content in (
        ("study", values),
        ("tokenizer", tokenizer),
        ("lm", generator),
    ):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return folder / "study.yaml"


@pytest.mark.slow
def test_a_run_is_scored_once_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_run, "load_features", lambda kind, classifier: Means())
    config = small_study(tmp_path)
    study = study_run.Study(config, tmp_path / "exp", tmp_path)
    runs = [run for run in all_runs(study.config) if run.part == "noise"][:2]
    assert study_run.run_study(study, runs, minutes=10) == 2
    lm, dit = (tmp_path / "exp/generators" / run.name / "result.json" for run in runs)
    values = [json.loads(path.read_text()) for path in (lm, dit)]
    assert all(set(value["distance"]) == {"1", "2"} for value in values)
    assert values[1]["steps"] > values[0]["steps"] > 1  # a step of DiT costs less
    assert all(value["parameters"] > 4 * 32**2 for value in values)  # more than attention
    before = lm.stat().st_mtime_ns
    assert study_run.run_study(study_run.Study(config, tmp_path / "exp", tmp_path), runs) == 2
    assert lm.stat().st_mtime_ns == before
    points, done, count = read_points(study.config, tmp_path / "exp")
    assert (done, count, len(points)) == (2, 8, 4)
    assert "| noise | sigma_0.5 | dit | medium |" in table(points)
    plot(points, "FD", tmp_path / "study.png")
    assert (tmp_path / "study.png").stat().st_size > 1000
