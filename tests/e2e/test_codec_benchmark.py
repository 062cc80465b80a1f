"""The codec benchmark at toy size without any weights but those of an untrained codec of ours."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from latentspeech.codec.config import CodecConfig, ConvNeXtConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import save_codec

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 600

pytestmark = pytest.mark.slow


def run(*options: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix}
    environment.pop("LATENTSPEECH_WEIGHTS", None)
    return subprocess.run(
        ["bash", str(ROOT / "egs/codec_benchmark/run.sh"), *options],
        capture_output=True,
        text=True,
        env=environment,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """exp/ of a finished run: Encodec without weights, and an untrained codec of ours."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    folder = tmp_path_factory.mktemp("benchmark")
    side = ConvNeXtConfig(strides=(4, 4, 5, 5, 8), base_channels=2, depths=(0, 0, 0, 0, 0, 1))
    torch.manual_seed(0)
    (folder / "codec").mkdir()
    save_codec(Codec(CodecConfig(latent_dim=8, encoder=side, decoder=side)), folder / "codec", "")
    result = run(*options(folder))
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    assert "RESULTS.md" in result.stdout
    return folder


def options(folder: Path) -> list[str]:
    given = ["--debug", "--codecs", "encodec-8", "--ours", f"toy={folder}/codec"]
    given += ["--exp_dir", f"{folder}/exp", "--max_items", "3", "--repeats=1"]
    return [*given, "--metrics", "mel-dac-class,mel-vocos,stoi,utmos"]


def row_of(text: str, start: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_table_5_has_the_published_rows_ours_and_reasons_for_holes(folder: Path) -> None:
    text = (folder / "exp/RESULTS.md").read_text()
    assert row_of(text, "sigma-VAE 32-d")[2:6] == ["1", "15", "1600", "0.813"]
    ours = row_of(text, "sigma-VAE 8-d (toy)")
    assert ours[1:5] == ["this run", "1", "7.5", "3200"]
    assert float(ours[5].split()[0]) > 0.5  # mel distance of an untrained codec
    assert ours[6].startswith("- [")  # PESQ was not asked for
    rival = row_of(text, "Encodec (encodec-8)")
    assert rival[2:5] == ["8", "75", "40"]
    assert all(cell.startswith("- [") for cell in rival[5:])
    assert "no copies: the weights encodec-24khz are not on this machine" in text
    assert "utmos22_strong" in text


def test_sizes_speeds_and_mel_variants_are_tables(folder: Path) -> None:
    text = (folder / "exp/RESULTS.md").read_text()
    speed = next(row for row in text.split("Size and speed")[1].splitlines() if "| toy |" in row)
    assert speed.rstrip(" |").endswith("ours")
    facts = json.loads((folder / "exp/facts/encodec-8.json").read_text())
    assert [speed["num_threads"] for speed in facts["speeds"]] == [1, 2]
    assert all(speed["encode_rtf"] > 0 for speed in facts["speeds"])
    assert facts["sizes"]["total"] > 15e6
    variants = text.split("Mel distances of the same copies")[1]
    assert "mel-vocos" in variants
    assert "not measured" in variants  # the variants that were not asked for


def test_the_page_has_tables_and_players(folder: Path) -> None:
    page = (folder / "exp/page.html").read_text()
    assert page.count("<audio") == 6
    assert "Reconstruction by speech tokenizers" in page
    assert "no copies" in page


def test_a_second_run_keeps_what_is_there_and_adds_what_is_new(folder: Path) -> None:
    copies = sorted((folder / "exp/copies").rglob("*.wav"))
    assert len(copies) == 3
    before = [path.stat().st_mtime_ns for path in copies]
    copies[0].unlink()
    facts = (folder / "exp/facts/toy.json").stat().st_mtime_ns
    result = run(*options(folder), "--stage=1", "--stop_stage=3")
    assert result.returncode == 0, result.stderr[-4000:]
    assert "done before and unchanged" in result.stderr  # the list
    assert copies[0].is_file()
    assert [path.stat().st_mtime_ns for path in copies[1:]] == before[1:]
    assert (folder / "exp/facts/toy.json").stat().st_mtime_ns == facts
    more = run(*options(folder)[:-1], "mel,si-sdr", "--stage=4")
    assert more.returncode == 0, more.stderr[-4000:]
    assert "SI-SDR" in (folder / "exp/RESULTS.md").read_text()


def test_no_recordings_is_told_with_what_makes_them(tmp_path: Path) -> None:
    result = run("--exp_dir", str(tmp_path), "--cuts", "missing.jsonl.gz", "--stage=1")
    assert result.returncode == 2
    assert "egs/mini/run.sh" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_codec_is_one_line(tmp_path: Path) -> None:
    result = run("--debug", "--exp_dir", str(tmp_path), "--codecs", "encodec-9", "--stop_stage=0")
    assert result.returncode == 2
    assert "did you mean encodec-8" in result.stderr
    assert "Traceback" not in result.stderr
