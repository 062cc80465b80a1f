"""The image recipes as they stand: options, folders, and the configurations of ImageNet."""

from pathlib import Path

import pytest

from latentspeech.core.config import load_config
from latentvision.generation.presets import dit_preset, lm_preset
from latentvision.tokenizer.presets import tokenizer_preset
from latentvision.training.generator_run import GeneratorRunConfig
from latentvision.training.tokenizer_run import TokenizerRunConfig
from tests.unit.recipes.shell import ROOT, run_bash

CONF = ROOT / "egs/imagenet/conf"
SIZES = ("l", "medium", "large", "xl", "3b")


def generator_run(name: str) -> GeneratorRunConfig:
    return load_config(GeneratorRunConfig, CONF / f"{name}.yaml")


@pytest.mark.parametrize("size", SIZES)
def test_imagenet_generators_are_the_papers(size: str) -> None:
    run = generator_run(f"lm_{size}")
    assert run.model == lm_preset(size)
    if size != "l":
        twin = generator_run(f"dit_{size}")
        assert twin.model == dit_preset(size)
        assert (twin.optimizer, twin.train, twin.data) == (run.optimizer, run.train, run.data)


@pytest.mark.parametrize("path", sorted(CONF.glob("[lgdvm]*_*.yaml")), ids=lambda p: p.stem)
def test_imagenet_batches_and_steps_are_the_papers(path: Path) -> None:
    run = load_config(GeneratorRunConfig, path)
    steps = {"l": 250_000, "384": 100_000, "study": 200_000}.get(path.stem.split("_")[-1], 75_000)
    batch = 256 if path.stem.endswith("study") else 2048
    assert 8 * run.train.accumulation * run.data.batch_size == batch
    assert run.train.max_steps == steps
    if run.optimizer.schedule == "cosine":
        assert (run.optimizer.total_steps, run.optimizer.warmup_steps) == (steps, 100)
        assert (run.optimizer.betas, run.optimizer.weight_decay) == ((0.9, 0.98), 0.1)


def test_imagenet_rates_are_those_of_table_9() -> None:
    rates = {size: generator_run(f"lm_{size}").optimizer.lr for size in SIZES}
    assert rates == {"l": 5e-4, "medium": 8e-4, "large": 3e-4, "xl": 2e-4, "3b": 1.6e-4}
    assert generator_run("lm_l").sampling.cfg_scale == 1.65
    assert generator_run("dit_3b").sampling.cfg_scale == 1.75


def test_the_imagenet_tokenizer_is_the_papers() -> None:
    run = load_config(TokenizerRunConfig, CONF / "tokenizer.yaml")
    assert run.tokenizer == tokenizer_preset("base")
    assert (run.optim.tokenizer.betas, run.optim.tokenizer.lr) == ((0.0, 0.99), 3e-4)
    epochs = run.train.max_steps * 8 * run.data.batch_size / 1_281_167
    assert epochs == pytest.approx(200, rel=1e-3)
    large = load_config(TokenizerRunConfig, CONF / "tokenizer_384.yaml")
    assert large.tokenizer.num_latents == 576


@pytest.mark.parametrize("name", ["fashion", "imagenet"])
def test_help_lists_all_stages_with_their_costs(name: str) -> None:
    result = run_bash(f"bash egs/{name}/run.sh --help")
    assert result.returncode == 0, result.stderr
    for path in (ROOT / "recipes/image").glob("[0-9][0-9]_*.sh"):
        purpose = path.read_text().splitlines()[1].removeprefix("# Purpose: ")
        assert f"  {int(path.name[:2])}  {purpose}" in result.stdout
    assert result.stdout.count(" reads ") == 11
    assert ("at MFU 0.45" in result.stdout) == (name == "imagenet")


def first_environment(tmp_path: Path, command: str) -> dict[str, str]:
    """The variables that the first program of a recipe is started with."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nenv\nexit 1\n")
    python.chmod(0o755)
    result = run_bash(f"PATH={tmp_path}:$PATH; bash egs/{command}")
    return dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)


@pytest.mark.parametrize(
    ("options", "exp_dir", "data_dir", "config"),
    [
        ("fashion/run.sh", "fashion/exp/full/lm", "fashion/data/full", "fashion/conf/lm"),
        ("fashion/run.sh --model vq", "fashion/exp/full/vq", "fashion/data/full_vq", ""),
        ("fashion/run.sh --debug --model mar", "fashion/exp/debug/mar", "fashion/data/debug", ""),
        (
            "imagenet/run.sh --imagenet_dir x --size xl --pixels 384 --model dit",
            "imagenet/exp/dit_xl_384",
            "imagenet/data/full_384",
            "imagenet/conf/dit_xl_384",
        ),
    ],
)
def test_generators_share_a_tokenizer_and_have_their_own_folder(
    tmp_path: Path, options: str, exp_dir: str, data_dir: str, config: str
) -> None:
    found = first_environment(tmp_path, options)
    assert found["exp_dir"] == f"{ROOT}/egs/{exp_dir}"
    assert found["data_dir"] == f"{ROOT}/egs/{data_dir}"
    if config:
        assert found["generator_config"] == f"{ROOT}/egs/{config}.yaml"


def test_imagenet_starts_from_given_weights(tmp_path: Path) -> None:
    command = "imagenet/run.sh --imagenet_dir /i --beit3 /b.pth --vgg_weights /v.pth"
    found = first_environment(tmp_path, command)
    assert found["train_source"] == '{kind: folder, path: "/i/train"}'
    settings = found["tokenizer_args"].split()
    run = load_config(TokenizerRunConfig, CONF / "tokenizer.yaml", settings)
    assert run.loss.perceptual is not None
    assert (str(run.beit3), run.loss.perceptual.kind) == ("/b.pth", "lpips")
    assert run.optim.encoder_layer_decay == 0.65


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fashion/run.sh --model gan", "--model is 'gan'; expected lm, dit, givt, vq or mar"),
        ("imagenet/run.sh", "--train_source and --valid_source name the pictures; give both"),
        ("imagenet/run.sh --size huge", "--size is 'huge'; expected l, medium"),
        ("imagenet/run.sh --imagenet_dir x --model givt", "no file"),
    ],
)
def test_what_cannot_run_is_refused(command: str, message: str) -> None:
    result = run_bash(f"bash egs/{command}")
    assert result.returncode == 2
    assert message in result.stderr


@pytest.mark.parametrize("model", ["lm", "dit", "givt", "vq", "mar"])
@pytest.mark.parametrize("name", ["fashion", "imagenet"])
def test_the_toy_settings_fit_every_configuration(name: str, model: str) -> None:
    script = f"""
      egs_dir=$PWD/egs/{name} recipe_title=x recipe_command=x data_card=x
      source recipes/image/options.sh
      add_image_options 0
      parse_options --debug --model {model}
      settle_debug
      printf '%s\\n%s\\n' "$debug_tokenizer_args" "$debug_generator_args"
    """
    result = run_bash(script)
    assert result.returncode == 0, result.stderr
    tokenizer_args, generator_args = (line.split() for line in result.stdout.splitlines())
    conf = ROOT / "egs" / name / "conf"
    tokenizer = "tokenizer_vq" if model == "vq" else "tokenizer"
    run = load_config(TokenizerRunConfig, conf / f"{tokenizer}.yaml", tokenizer_args)
    assert run.tokenizer.num_latents == 16
    size = model if name == "fashion" else f"{model}_study"
    generator = load_config(GeneratorRunConfig, conf / f"{size}.yaml", generator_args)
    assert (generator.model.kind, generator.train.max_steps) == (model, 20)
