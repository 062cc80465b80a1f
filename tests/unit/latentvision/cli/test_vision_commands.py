"""The `latentvision` command: results, one-line errors, nothing left behind."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
import yaml

from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.eval.report import EvalReport
from latentvision.cli.main import run
from latentvision.images.reading import read_picture
from latentvision.images.transforms import center_crop, to_pixels, to_tensor
from latentvision.images.writing import read_provenance
from latentvision.tokenizer.model_directory import load_tokenizer, tokenizer_hash
from tests.tiny_pictures import encoded, make_folder
from tests.tiny_tokenizer import make_tokenizer_directory
from tests.unit.latentvision.training.test_tokenizer_run import write_run


def latentvision(*arguments: object) -> tuple[int, str, str]:
    """Runs the command in this process; returns exit code, stdout, stderr."""
    out, error = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["latentvision", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
    ):
        try:
            run()
        except SystemExit as stop:
            code = stop.code or 0
    assert isinstance(code, int)
    return code, out.getvalue(), error.getvalue()


def fails(words: str, *arguments: object) -> None:
    code, out, error = latentvision(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.png").write_bytes(encoded(4, size=40))
    return tmp_path


def test_encode_and_decode_are_reconstruct(folder: Path) -> None:
    model = make_tokenizer_directory(folder)
    latents, copy, direct = folder / "z.safetensors", folder / "copy.png", folder / "direct.png"
    code, out, _ = latentvision(
        "tokenizer", "encode", folder / "in.png", latents, "--model", model, "--json"
    )
    assert code == 0
    assert json.loads(out) == {
        "out": str(latents),
        "latents": 16,
        "latent_dim": 5,
        "image_size": 16,
    }
    assert latentvision("tokenizer", "decode", latents, copy, "--model", model)[0] == 0
    code, _, error = latentvision(
        "tokenizer", "reconstruct", folder / "in.png", direct, "--model", model
    )
    assert code == 0
    assert "dB of the original" in error
    assert read_picture(copy).tobytes() == read_picture(direct).tobytes()
    tokenizer = load_tokenizer(model)
    image = to_tensor(center_crop(read_picture(folder / "in.png"), 16))
    with torch.no_grad():
        expected = to_pixels(tokenizer.decode(tokenizer.encode(image[None]))[0])
    found = to_pixels(to_tensor(read_picture(copy)))
    assert int((found.int() - expected.int()).abs().max()) <= 1
    assert read_provenance(copy)["Software"].startswith("latentvision ")


def test_a_copy_beside_its_original(folder: Path) -> None:
    model, both = make_tokenizer_directory(folder), folder / "both.png"
    arguments = ("tokenizer", "reconstruct", folder / "in.png", both, "--beside", "--quiet")
    code, out, error = latentvision(*arguments, "--model", model)
    assert (code, out, error) == (0, "", "")
    assert read_picture(both).size == (34, 16)


def test_the_model_may_come_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = folder / "generator"
    generator.mkdir()
    make_tokenizer_directory(folder).rename(generator / "tokenizer")
    target = folder / "copy.png"
    monkeypatch.delenv("LATENTVISION_MODEL", raising=False)
    fails("no model given", "tokenizer", "reconstruct", folder / "in.png", target)
    monkeypatch.setenv("LATENTVISION_MODEL", str(generator))
    assert latentvision("tokenizer", "reconstruct", folder / "in.png", target)[0] == 0


def test_bad_input_is_one_line(folder: Path) -> None:
    model, out = make_tokenizer_directory(folder), folder / "out.png"
    (folder / "broken.png").write_bytes(encoded(4)[:200])
    (folder / "text.safetensors").write_text("no latents")
    start = ("tokenizer", "reconstruct")
    end = ("--model", model)
    fails("truncated or damaged", *start, folder / "broken.png", out, *end)
    fails("picture not found", *start, folder / "none.png", out, *end)
    fails("does not end with .png", *start, folder / "in.png", folder / "out.jpg", *end)
    fails("no model directory at", *start, folder / "in.png", out, "--model", folder / "none")
    fails("config.yaml is missing", *start, folder / "in.png", out, "--model", folder)
    fails("holds no latents", "tokenizer", "decode", folder / "text.safetensors", out, *end)
    fails("config file not found", "train", "tokenizer", "--config", folder / "none.yaml")
    assert not out.exists()


def test_latents_of_another_tokenizer_are_refused(folder: Path) -> None:
    one, other = (make_tokenizer_directory(folder, seed=seed) for seed in (0, 1))
    latents = folder / "z.safetensors"
    assert latentvision("tokenizer", "encode", folder / "in.png", latents, "--model", one)[0] == 0
    fails(
        "was made by tokenizer", "tokenizer", "decode", latents, folder / "o.png", "--model", other
    )


def test_models_are_described(folder: Path) -> None:
    model = make_tokenizer_directory(folder, "vq")
    code, out, _ = latentvision("models", model, "--json")
    assert code == 0
    (row,) = json.loads(out)
    assert (row["kind"], row["num_latents"], row["posterior"]) == ("tokenizer", 16, "vq")
    _, out, _ = latentvision("models", model)
    assert "16 x 5 latents, vq" in out
    fails("config.yaml is missing", "models", folder)


def test_train_pack_extract(folder: Path) -> None:
    """From pictures to latents by commands alone."""
    path, model = write_run(folder), folder / "model"
    code, out, _ = latentvision(
        "train", "tokenizer", "--config", path, "--set", "train.max_steps=2", "--json", "--quiet"
    )
    assert code == 0
    assert json.loads(out)["step"] == 2
    assert latentvision("tokenizer", "pack", folder / "exp", model)[0] == 0
    values = {
        "tokenizer_dir": str(model),
        "source": {"kind": "folder", "path": str(folder / "pictures")},
        "out_dir": str(folder / "latents"),
        "pictures_per_shard": 5,
    }
    (folder / "extract.yaml").write_text(yaml.safe_dump(values))
    code, out, _ = latentvision(
        "tokenizer", "extract", "--config", folder / "extract.yaml", "--json"
    )
    assert code == 0
    assert json.loads(out)["items"] == 18
    shards = LatentShards(folder / "latents", tokenizer_hash(model))
    assert "latentvision tokenizer extract --config" in shards.meta.remake_command
    fails(
        "has no pictures",
        "tokenizer",
        "extract",
        "--config",
        folder / "extract.yaml",
        "--set",
        f"source.path={make_empty(folder)}",
    )


def test_copies_are_scored(folder: Path) -> None:
    pytest.importorskip("pytorch_msssim")
    values = {
        "tokenizer_dir": str(make_tokenizer_directory(folder)),
        "source": {"kind": "folder", "path": str(make_folder(folder / "pictures"))},
        "metrics": ["psnr", "ssim"],
    }
    (folder / "score.yaml").write_text(yaml.safe_dump(values))
    arguments = ("tokenizer", "score", "--config", folder / "score.yaml")
    code, out, _ = latentvision(*arguments, "--out", folder / "report.json", "--json")
    assert code == 0
    metrics = json.loads(out)["metrics"]
    assert metrics.keys() == {"psnr", "ssim"}
    assert EvalReport.read(folder / "report.json").metric("psnr").value == metrics["psnr"]
    assert "| PSNR |" in (folder / "report.md").read_text()


def make_empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_help_loads_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['latentvision', '--help']\n"
        "from latentvision.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "tokenizer" in result.stdout


def test_the_folder_of_a_run_may_not_be_a_file(folder: Path) -> None:
    make_folder(folder / "more")
    (folder / "file").write_text("")
    fails(
        "is a file",
        "train",
        "tokenizer",
        "--config",
        write_run(folder),
        "--set",
        f"exp_dir={folder / 'file'}",
        "--quiet",
    )
