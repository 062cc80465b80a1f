"""The Libriheavy recipe at toy size on a corpus in the published format, made of real recordings.

Two processes train and two extract; one run is killed while it writes latents and goes on; then two
nodes share stages 5 and 6.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
import yaml

from egs.libriheavy.local.make_fixture import make_fixture
from latentspeech.audio.io import load_audio
from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.data.utterances import read_utterances
from tests.small_corpus import small_corpus

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 1500
STEPS = 12
FEWER_STEPS = f"optimizer.total_steps={STEPS} train.max_steps={STEPS} train.validate_every={STEPS}"

pytestmark = pytest.mark.slow


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix}


@dataclass(frozen=True)
class Recipe:
    """The folders of one run and what is given to it."""

    folder: Path
    damaged: dict[str, list[str]]

    @property
    def exp(self) -> Path:
        return self.folder / "exp"

    def command(self, *options: str) -> list[str]:
        return [
            *["bash", str(ROOT / "egs/libriheavy/run.sh"), "--debug", "--subset", "small"],
            *["--ngpu", "0", "--nproc", "2", "--max_test", "2"],
            *["--manifest_dir", str(self.folder), "--audio_dir", str(self.folder / "librilight")],
            *["--exp_dir", str(self.exp), "--data_dir", str(self.folder / "data")],
            *["--codec_metrics", "mel-dac-class,pesq", "--tts_metrics", "wer-c,sim-ge2e-o"],
            *["--codec_args", f"discriminator_optimizer.total_steps={STEPS} {FEWER_STEPS}"],
            *["--tts_args", FEWER_STEPS],
            *options,
        ]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*options),
            capture_output=True,
            text=True,
            env=environment(),
            timeout=TIMEOUT_S,
            check=False,
        )


def librispeech(corpus: Path, folder: Path) -> Path:
    """LibriSpeech's layout with two speakers of the corpus."""
    for line in (corpus / "manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        speaker = {"reader0": "61", "reader1": "908"}.get(row["speaker"])
        if speaker is None:
            continue
        place = folder / "LibriSpeech/test-clean" / speaker / "1"
        place.mkdir(parents=True, exist_ok=True)
        name = f"{speaker}-1-{len(list(place.glob('*.flac'))):04d}"
        audio, rate = soundfile.read(corpus / row["audio"])
        soundfile.write(place / f"{name}.flac", audio, rate)
        with (place / f"{speaker}-1.trans.txt").open("a") as table:
            table.write(f"{name} {row['text'].upper()}\n")
    return folder / "LibriSpeech"


def libritts(corpus: Path, folder: Path) -> Path:
    """LibriTTS's layout with two utterances."""
    place = folder / "LibriTTS/test-other/1688/142285"
    place.mkdir(parents=True)
    for number, line in enumerate((corpus / "manifest.jsonl").read_text().splitlines()[:2]):
        row = json.loads(line)
        name = f"1688_142285_{number:06d}_000000"
        audio, rate = soundfile.read(corpus / row["audio"])
        soundfile.write(place / f"{name}.wav", audio, rate)
        (place / f"{name}.normalized.txt").write_text(row["text"])
    return folder / "LibriTTS"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A corpus with a missing and a truncated recording, and the recipe's folders for it."""
    folder = tmp_path_factory.mktemp("libriheavy")
    corpus = small_corpus(folder / "corpus", 6, 8)
    faults = {"missing": 1, "truncated": 1}
    damaged = make_fixture(corpus, folder, ["small"], 15.0, faults)
    return Recipe(folder, damaged)


def kill_in_extraction(recipe: Recipe, *options: str) -> Path:
    """Starts the recipe, kills its process group at the first shard; that shard."""
    log_path = recipe.folder / "killed.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            recipe.command(*options),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
        )
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while not (shards := sorted((recipe.exp / "latents/train").glob("latents-*.jsonl"))):
            assert process.poll() is None, log_path.read_text()[-4000:]
            assert time.monotonic() < deadline, "no shard in time"
            time.sleep(0.01)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return shards[0]


@pytest.fixture(scope="module")
def done(recipe: Recipe) -> Recipe:
    """All ten stages, on two processes, after a kill in stage 5."""
    corpora = ["--librispeech_dir", str(librispeech(recipe.folder / "corpus", recipe.folder))]
    corpora += ["--libritts_dir", str(libritts(recipe.folder / "corpus", recipe.folder))]
    options = ["--check_audio", "--nproc_train", "2", *corpora]
    shard = kill_in_extraction(recipe, *options)
    before = shard.stat().st_mtime_ns
    assert not (recipe.exp / "latents/train/stats.safetensors").exists()
    assert not (recipe.exp / "stages/05_extract_latents/done.json").exists()
    result = recipe.run(*options)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    assert result.stderr.count("done before and unchanged") == 4  # stages 1 to 4
    assert shard.stat().st_mtime_ns == before  # it was not made again
    return recipe


def test_damaged_audio_is_named_counted_and_left_out(done: Recipe) -> None:
    data = done.folder / "data"
    counts = json.loads((data / "corpus.json").read_text())
    assert (counts["files_missing"], counts["files_damaged"]) == (1, 1)
    assert (data / "missing_audio.txt").read_text().split() == done.damaged["missing"]
    assert (data / "damaged_audio.txt").read_text().startswith(done.damaged["truncated"][0])
    assert counts["parts"]["train"]["cuts"] == len(read_utterances(data / "cuts_train.jsonl.gz"))


def test_two_processes_trained_both_models(done: Recipe) -> None:
    for kind in ("codec", "tts"):
        lines = (done.exp / kind / "metrics.jsonl").read_text().splitlines()
        steps = [json.loads(line)["step"] for line in lines if '"train/' in line]
        assert steps == sorted(set(steps))
        assert steps[-1] == STEPS
    assert "2 process(es)" in (done.exp / "RESULTS.md").read_text()


def test_every_training_cut_has_its_latents(done: Recipe) -> None:
    shards = LatentShards(done.exp / "latents/train")
    cuts = read_utterances(done.folder / "data/cuts_train.jsonl.gz")
    items = [item for shard in shards.shards for item in shards.items(shard)]
    assert [item.id for item in items] == [cut.id for cut in cuts]
    assert all(len(shards.load(index)) == item.num_latents for index, item in enumerate(items))
    mean, std = shards.statistics()
    assert mean.isfinite().all()
    assert (std > 0).all()


def test_results_have_the_papers_rows_and_say_what_was_tested(done: Recipe) -> None:
    results = (done.exp / "RESULTS.md").read_text()
    assert "| LatentLM | paper | 7.5 | 0.656 | 1.2 | 1.7 | 0.532 | 1.6 | 2.3 |" in results
    assert "synthesis of this run, 3 s prefix" in results
    for protocol in (
        "librispeech-4-10/reference",
        "librispeech-4-10/prefix",
        "libritts-test-other",
    ):
        assert f"2 utterances of {protocol} (" in results
    # WER-C's recogniser is not installed: its place is empty, with the reason.
    row = next(
        line for line in results.splitlines() if line.startswith("| synthesis of this run |")
    )
    assert row.split(" | ")[4].startswith("- [")
    assert "WER-C needs" in results
    prefix = (done.exp / "synthesis_prefix/items.jsonl").read_text().splitlines()
    assert all(json.loads(line)["prefix_s"] == 3.0 for line in prefix)
    for ending, parts in {
        "": (
            "spoken without this project's additions; one draw, no retries",
            "no prompt",
            "no equalizer",
        ),
        "_prefix": (
            "spoken without this project's additions; one draw, no retries",
            "the given latents",
        ),
        "_reference_ours": ("in this project's way; at most 2 retries", "the voice's equalizer"),
        "_prefix_ours": ("in this project's way; at most 2 retries", "the voice's equalizer"),
    }.items():
        path = done.exp / f"synthesis{ending}/items.jsonl.info.json"
        rule = json.loads(path.read_text())["rule"]
        for part in (*parts, "CFG scale 4, 5 steps", "noise 1", "text: small letters"):
            assert part in rule
    for setting in ("reference utterance", "3 s prefix"):
        assert f"| synthesis of this run, {setting}, in this project's way |" in results
    sampling = yaml.safe_load((done.exp / "model/config.yaml").read_text())["config"]["sampling"]
    assert (sampling["cfg_scale"], sampling["num_steps"], sampling["noise_scale"]) == (4, 5, 1)
    assert float(load_audio(done.exp / "sample.wav", 24000).abs().max()) > 0


def test_two_nodes_share_latents_and_training(done: Recipe) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    options = ["--check_audio", "--nnodes", "2", "--rdzv_endpoint", f"localhost:{port}"]
    options += ["--nproc", "1", "--stage", "4", "--stop_stage", "6", "--force"]
    other_log = done.folder / "node1.log"
    with other_log.open("w") as log:
        other = subprocess.Popen(
            done.command(*options, "--node_rank", "1"),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
    shutil.rmtree(done.exp / "latents")
    result = done.run(*options)
    assert result.returncode == 0, result.stderr[-4000:]
    assert other.wait(120) == 0, other_log.read_text()[-4000:]
    said = other_log.read_text()
    assert "stage 4" not in said  # that is node 0's
    assert "train, process 1: " in said
    assert re.search(r"MEMBER: [12]/2", said)
    assert LatentShards(done.exp / "latents/train").meta.num_items > 8
    # No second record of the stages, and the run before is kept.
    assert len(list(done.exp.glob("tts.*/checkpoints"))) == 1


def test_training_goes_on_past_a_truncated_recording(recipe: Recipe, tmp_path: Path) -> None:
    """Without --check_audio loader and extraction meet it, name it and leave it out."""
    plain = Recipe(tmp_path, recipe.damaged)
    for name in ("librilight", *(p.name for p in recipe.folder.glob("libriheavy_cuts_*"))):
        (tmp_path / name).symlink_to(recipe.folder / name)
    result = plain.run("--stop_stage", "5")
    assert result.returncode == 0, result.stderr[-4000:]
    assert json.loads((tmp_path / "data/corpus.json").read_text())["files_damaged"] == 0
    assert "left out of its batch" in result.stderr
    assert recipe.damaged["truncated"][0] in result.stderr
    assert f'"step": {STEPS}' in result.stderr
    assert re.search("no latents: cut .*" + recipe.damaged["truncated"][0], result.stderr)
    shards = LatentShards(plain.exp / "latents/train")
    items = [item for shard in shards.shards for item in shards.items(shard)]
    assert 0 < sum(item.num_latents == 0 for item in items) < len(items)
