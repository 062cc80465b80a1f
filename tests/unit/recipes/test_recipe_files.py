"""Every stage and every YAML of the recipes, as they stand in the repository."""

import math
import os
from pathlib import Path

import pytest

from latentspeech.codec.presets import codec_preset
from latentspeech.codec.task import RATIO_POWER
from latentspeech.core.config import Config, load_config
from latentspeech.core.eval.paper_tables.table import load_paper_table
from latentspeech.core.train.optim import learning_rate
from latentspeech.training.codec_run import CodecRunConfig
from latentspeech.training.tts_run import TTSRunConfig
from latentvision.training.classifier_run import ClassifierRunConfig
from latentvision.training.generator_run import GeneratorRunConfig
from latentvision.training.mllm_run import PageRunConfig
from latentvision.training.tokenizer_run import TokenizerRunConfig as ImageTokenizerRun
from recipes.image.study.plan import StudyConfig
from recipes.lib.stage_record import header_parts
from recipes.tts.train_tokenizer import TokenizerRunConfig
from tests.unit.recipes.shell import ROOT, run_bash

STAGES = sorted((ROOT / "recipes/tts").glob("[0-9][0-9]_*.sh"))
ALL_STAGES = sorted((ROOT / "recipes").glob("*/[0-9][0-9]_*.sh"))
SHARED = {"03_train_codec", "05_extract_latents", "06_train_tts"}
# What a user or another script starts; the others are sourced.
RUNNABLE = [
    *(ROOT / "egs").glob("*/run.sh"),
    *(ROOT / "egs").glob("*/local/*.sh"),
    *ALL_STAGES,
    *(ROOT / "recipes/launch").glob("*.sh"),
    *(ROOT / "tools").glob("*.sh"),
    ROOT / ".ci/run",
]
CONFIGS = sorted((ROOT / "egs").glob("*/conf/**/*.yaml"))
IMAGES = ("fashion", "imagenet")
LIBRIHEAVY = ROOT / "egs/libriheavy/conf"


def config_class(path: Path) -> type[Config]:
    if path.stem == "study":
        return StudyConfig
    if path.stem == "classifier":
        return ClassifierRunConfig
    if "mllm" in path.relative_to(ROOT).parts:
        return ImageTokenizerRun if path.stem.startswith("tokenizer") else PageRunConfig
    if set(IMAGES) & set(path.parts):
        return ImageTokenizerRun if path.stem.startswith("tokenizer") else GeneratorRunConfig
    if path.stem.startswith("codec"):
        return CodecRunConfig
    return TTSRunConfig if path.stem.startswith("tts") else TokenizerRunConfig


def load_codec_run(name: str) -> CodecRunConfig:
    return load_config(CodecRunConfig, ROOT / "egs" / name)


def load_tts_run(name: str) -> TTSRunConfig:
    return load_config(TTSRunConfig, ROOT / "egs" / name)


def test_there_are_ten_stages() -> None:
    assert [int(path.name[:2]) for path in STAGES] == list(range(10))


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_that_is_started_may_be_executed(path: Path) -> None:
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    assert os.access(path, os.X_OK)


def test_several_nodes_share_the_training_and_the_encoding() -> None:
    shared = {path.stem for path in STAGES if "# Nodes:   all\n" in path.read_text()}
    assert shared == SHARED


PROGRAMS = sorted((ROOT / "recipes").glob("*/[0-9][0-9]_*.py"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_numbered_program_is_the_work_of_the_stage_beside_it(path: Path) -> None:
    assert path.with_suffix(".sh") in ALL_STAGES
    called = f"python -m recipes.{path.parent.name}.{path.stem}"
    assert any(called in script.read_text() for script in path.parent.glob("*.sh"))


@pytest.mark.parametrize("path", ALL_STAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_stage_is_short_and_says_what_it_does(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 60
    assert [line.split(":")[0] for line in lines[1:5]] == [
        "# Purpose",
        "# Reads",
        "# Writes",
        "# Cost",
    ]
    assert header_parts(path, "Reads") != [""]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_a_configuration_is_valid(path: Path) -> None:
    load_config(config_class(path), path)


@pytest.mark.parametrize("reduction", [640, 1600, 3200, 6400])
def test_libriheavy_codecs_are_the_papers(reduction: int) -> None:
    run = load_codec_run(f"libriheavy/conf/codec_{reduction}x.yaml")
    # beta is a matter of training, not of size.
    preset = codec_preset(reduction)
    assert run.codec == preset.model_copy(update={"posterior": run.codec.posterior})
    assert run.codec.posterior == preset.posterior.model_copy(update={"beta": 0.1})


@pytest.mark.parametrize("path", sorted(LIBRIHEAVY.glob("codec_*.yaml")), ids=lambda p: p.stem)
def test_libriheavy_codecs_hold_the_ratio_and_train_as_dac_does(path: Path) -> None:
    run = load_config(CodecRunConfig, path)
    assert run.loss.log_sigma_ratio is not None
    # Losses that pull 24 times harder than beta holds.
    assert run.loss.log_sigma_ratio + math.log(24) / RATIO_POWER < 1.2
    for optimizer, norm in ((run.optimizer, 1000), (run.discriminator_optimizer, 10)):
        assert (optimizer.weight_decay, optimizer.clip_norm) == (0.01, norm)
        if "debug" not in path.stem:
            assert learning_rate(optimizer, 250_000) == pytest.approx(
                1e-4 * 0.999996**250_000, rel=1e-3
            )


def test_table_8_has_three_codecs() -> None:
    names = ("640x", "1600x_16", "1600x")
    codecs = [load_codec_run(f"libriheavy/conf/codec_{name}.yaml").codec for name in names]
    table = load_paper_table(8)
    assert [(c.hop_length, c.frame_rate, c.latent_dim) for c in codecs] == [
        row.values[:3] for row in table.rows
    ]


def test_the_mini_codec_is_the_mini_preset() -> None:
    codec = load_codec_run("mini/conf/codec.yaml").codec
    preset = codec_preset(1600, "mini")
    # beta is a matter of training, not of size.
    assert codec == preset.model_copy(update={"posterior": codec.posterior})


def test_libriheavy_tts_has_the_settings_of_table_11() -> None:
    run = load_tts_run("libriheavy/conf/tts_1600x.yaml")
    assert (run.optimizer.betas, run.optimizer.lr) == ((0.9, 0.98), 7.5e-4)
    assert (run.optimizer.warmup_steps, run.train.max_steps) == (10_000, 100_000)
    assert (run.optimizer.weight_decay, run.optimizer.schedule) == (0.01, "cosine")
    assert (run.model.head_layers, run.model.diffusion.loss.num_noise_draws) == (3, 4)
    assert 5e6 <= 8 * run.train.accumulation * run.data.max_total_latents < 5.5e6
    ablation = load_tts_run("libriheavy/conf/tts_ablation_12layers.yaml")
    assert ablation.model.backbone == run.model.backbone.model_copy(update={"num_layers": 12})


def test_a_debug_twin_keeps_the_adversarial_turn_and_checkpoints() -> None:
    run = load_codec_run("mini/conf/codec_debug.yaml")
    start = run.loss.discriminator_start_step
    assert start is not None
    assert start < run.train.max_steps
    assert run.train.checkpoint_every < run.train.max_steps <= 100


@pytest.mark.parametrize("name", ["mini", "libriheavy"])
def test_help_lists_stages_with_what_they_read_write_and_cost(name: str) -> None:
    result = run_bash(f"bash egs/{name}/run.sh --help")
    assert result.returncode == 0, result.stderr
    for path in STAGES:
        purpose = path.read_text().splitlines()[1].removeprefix("# Purpose: ")
        assert f"  {int(path.name[:2])}  {purpose}" in result.stdout
    assert result.stdout.count(" reads ") >= 10
    assert ("--subset" in result.stdout) == (name == "libriheavy")
    assert ("--hours" in result.stdout) == (name == "mini")


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ("--subset small", "exp/small_1600x data/small"),
        ("--reduction 3200 --tag mine", "exp/mine data/large"),
        ("--debug --subset medium", "exp/debug_medium_1600x data/debug_medium"),
    ],
)
def test_libriheavy_keeps_experiments_apart(tmp_path: Path, options: str, folder: str) -> None:
    python = tmp_path / "python"  # the first program that the runner starts
    python.write_text('#!/bin/sh\necho "$exp_dir $data_dir"\nexit 1\n')
    python.chmod(0o755)
    result = run_bash(f"PATH={tmp_path}:$PATH; bash egs/libriheavy/run.sh --audio_dir x {options}")
    assert result.stdout == " ".join(f"{ROOT}/egs/libriheavy/{p}" for p in folder.split()) + "\n"


def test_a_repository_to_upload_to_has_an_owner(tmp_path: Path) -> None:
    result = run_bash(f"bash egs/mini/run.sh --upload_to model --exp_dir {tmp_path}/exp")
    assert (result.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "--upload_to is 'model'; expected owner/name" in result.stderr


def test_libriheavy_without_the_corpus_says_what_is_missing(tmp_path: Path) -> None:
    result = run_bash(
        "bash egs/libriheavy/run.sh --ngpu 0 --subset small --stop_stage 1 --stage 1 "
        f"--audio_dir {tmp_path}/none --exp_dir {tmp_path}/exp --data_dir {tmp_path}/data"
    )
    assert result.returncode == 2
    assert "libriheavy_cuts_small.jsonl.gz does not exist" in result.stderr
    assert "Traceback" not in result.stderr
