"""The commands of evaluation: score, compare, testset."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.eval.scoring.lists import ListInfo, ListRow, write_list
from tests.cli_runner import latentspeech
from tests.published_layouts import librispeech, speech_path
from tests.tiny_models import voice_like

NUM_FILES = 12


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """ref/ and hyp/ with a list; the copies are noisy."""
    rows = []
    for number in range(NUM_FILES):
        clean = voice_like(1.0 + 0.25 * number, seed=number)
        generator = torch.Generator().manual_seed(number)
        noisy = clean + 0.02 * torch.randn(clean.shape, generator=generator)
        for folder, audio in (("ref", clean), ("hyp", noisy)):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_audio(tmp_path / folder / f"u{number:02}.wav", audio, 24000)
        row = ListRow(
            id=f"u{number:02}",
            hypothesis_path=f"hyp/u{number:02}.wav",
            reference_path=f"ref/u{number:02}.wav",
            transcript="one two three",
            speaker=f"s{number % 4}",
            compute_s=0.5,
        )
        rows.append(row)
    write_list(tmp_path / "list.jsonl", rows, ListInfo("toy", "all of them"))
    return tmp_path


def score(corpus: Path, *more: object) -> subprocess.CompletedProcess[bytes]:
    return latentspeech("score", "--list", corpus / "list.jsonl", "--metrics", "mel,si-sdr", *more)


def read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def test_a_list_is_scored_and_the_report_says_all_it_depends_on(corpus: Path) -> None:
    result = score(corpus, "--out", corpus / "r.json")
    assert result.returncode == 0, result.stderr
    assert result.stdout.decode() == (corpus / "r.md").read_text()
    report = read(corpus / "r.json")
    assert report["settings"]["list"]["protocol"] == "toy"
    assert len(report["settings"]["list"]["sha256"]) == 64
    mel = report["metrics"][0]
    assert mel["key"] == "mel"
    assert mel["num_scored"] == NUM_FILES
    assert mel["interval"][0] < mel["value"] < mel["interval"][1]
    assert mel["group_interval"] is not None
    assert {bucket["kind"] for bucket in mel["buckets"]} == {"duration", "speaker"}
    assert report["run"]["command"].startswith("latentspeech score --list")
    assert not list(corpus.glob("*partial*"))


def test_the_speed_of_a_list_needs_no_reference(corpus: Path) -> None:
    result = latentspeech("score", "--list", corpus / "list.jsonl", "--metrics", "rtf", "--json")
    assert result.returncode == 0, result.stderr
    audio_s = sum(1.0 + 0.25 * number for number in range(NUM_FILES))
    assert json.loads(result.stdout)["metrics"][0]["value"] == pytest.approx(6.0 / audio_s, 1e-3)


def test_a_bad_file_is_named_and_a_second_run_scores_only_that(corpus: Path) -> None:
    good = (corpus / "hyp/u03.wav").read_bytes()
    (corpus / "hyp/u03.wav").write_bytes(good[: len(good) // 2])
    result = score(corpus, "--out", corpus / "r.json")
    assert result.returncode == 1
    assert b"u03.wav" in result.stdout
    assert b"truncated" in result.stdout
    before = read(corpus / "r.json")
    assert [failure["id"] for failure in before["failures"]] == ["u03", "u03"]
    (corpus / "hyp/u03.wav").write_bytes(good)
    # Another file, changed without a trace in size and time: its score must not be made again.
    spared = corpus / "hyp/u05.wav"
    status = spared.stat()
    write_audio(spared, torch.zeros((status.st_size - 44) // 2), 24000)
    os.utime(spared, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert score(corpus, "--out", corpus / "r.json", "--resume", "--quiet").returncode == 0
    after = read(corpus / "r.json")
    assert after["metrics"][0]["num_scored"] == NUM_FILES
    assert after["items"][5] == before["items"][5]
    assert after["items"][3]["scores"].keys() == after["items"][5]["scores"].keys()


def test_a_metric_that_is_not_here_leaves_a_hole_and_exit_code_1(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, package=None: None if name == "pesq" else real(name, package),
    )
    result = latentspeech(
        "score", "--list", corpus / "list.jsonl", "--metrics", "pesq,si-sdr", "--json"
    )
    assert result.returncode == 1
    pesq, other = json.loads(result.stdout)["metrics"]
    assert "pip install pesq" in pesq["hole"]
    assert pesq["value"] is None
    assert other["num_scored"] == NUM_FILES


def test_unknown_metrics_and_useless_options_are_one_line(corpus: Path) -> None:
    cases: dict[str, list[object]] = {
        "did you mean si-sdr": ["--list", corpus / "list.jsonl", "--metrics", "sisdr"],
        "give --ref": ["--hyp", corpus / "hyp", "--metrics", "mel"],
        "prompt recording": ["--list", corpus / "list.jsonl", "--metrics", "sim-ge2e-o"],
        "name the report with --out": ["--list", corpus / "list.jsonl", "--resume"],
        "written as .json": ["--list", corpus / "list.jsonl", "--out", corpus / "r.txt"],
        "does not exist": ["--list", corpus / "list.jsonl", "--out", corpus / "no/r.json"],
        "nothing to score": ["--metrics", "mel"],
        "jobs = 0": ["--list", corpus / "list.jsonl", "--metrics", "mel", "--jobs", "0"],
    }
    for message, arguments in cases.items():
        result = latentspeech("score", *arguments)
        assert result.returncode == 2, message
        assert message in result.stderr.decode()
        assert len(result.stderr.decode().strip().splitlines()) == 1


# A second metric that takes its time, so that the kill falls into the middle.
SLOW = """
import sys, time
import latentspeech.eval.metrics.si_sdr as module
plain = module.SiSdr.score
def slow(self, *arguments):
    time.sleep(0.15)
    return plain(self, *arguments)
module.SiSdr.score = slow
from latentspeech.cli.main import run
sys.argv = ["latentspeech", *sys.argv[1:]]
run()
"""


def test_a_killed_run_is_taken_up_where_it_ended(corpus: Path) -> None:
    out, partial = corpus / "r.json", corpus / "r.json.partial.jsonl"
    arguments = ["score", "--list", str(corpus / "list.jsonl"), "--metrics", "mel,si-sdr"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *arguments, "--out", str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (partial.is_file() and partial.read_text().count("\n") >= 5):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    num_kept = partial.read_text().count('"score"')
    assert 4 <= num_kept < 2 * NUM_FILES
    # A kill may fall into the writing of a line.
    partial.write_text(partial.read_text() + '{"utterance": "ab')
    spared = corpus / "hyp/u00.wav"
    status = spared.stat()
    write_audio(spared, torch.zeros((status.st_size - 44) // 2), 24000)
    os.utime(spared, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert score(corpus, "--out", out).returncode == 0
    assert not partial.exists()
    resumed = read(out)
    assert resumed["metrics"][0]["num_scored"] == NUM_FILES
    assert 0 < resumed["items"][0]["scores"]["SI-SDR"]["value"] < 40  # of before the zeros


@pytest.mark.slow
def test_two_processes_write_the_report_of_one(corpus: Path) -> None:
    (corpus / "hyp/u07.wav").write_bytes(b"no audio")
    for jobs in ("1", "2"):
        result = score(corpus, "--jobs", jobs, "--out", corpus / f"r{jobs}.json", "--quiet")
        assert result.returncode == 1, result.stderr
    one, two = read(corpus / "r1.json"), read(corpus / "r2.json")
    assert (one.pop("run")["jobs"], two.pop("run")["jobs"]) == (1, 2)
    assert one == two


def test_two_reports_are_compared(corpus: Path) -> None:
    worse = corpus / "worse"
    worse.mkdir()
    for path in (corpus / "hyp").iterdir():
        noise = 0.2 * torch.randn(24000, generator=torch.Generator().manual_seed(1))
        write_audio(worse / path.name, noise, 24000)
    assert score(corpus, "--out", corpus / "a.json", "--quiet").returncode == 0
    assert score(corpus, "--hyp", worse, "--out", corpus / "b.json", "--quiet").returncode == 0
    result = latentspeech("compare", corpus / "a.json", corpus / "b.json")
    assert result.returncode == 0, result.stderr
    assert b"| metric | a: a.json | b: b.json |" in result.stdout
    table = latentspeech(
        "compare", corpus / "a.json", corpus / "b.json", "--metric", "mel", "--json"
    )
    found = json.loads(table.stdout)[0]
    assert found["difference"] > 0
    assert found["interval"][0] > 0
    assert found["p_value"] < 0.001
    assert found["num_groups"] == 4
    short = (corpus / "list.jsonl").read_text().splitlines()[:5]
    (corpus / "short.jsonl").write_text("\n".join(short))
    latentspeech(
        "score", "--list", corpus / "short.jsonl", "--metrics", "mel", "--out", corpus / "c.json"
    )
    refused = latentspeech("compare", corpus / "a.json", corpus / "c.json")
    assert refused.returncode == 2
    assert b"only in the first: u05" in refused.stderr
    common = latentspeech("compare", corpus / "a.json", corpus / "c.json", "--common", "--json")
    assert json.loads(common.stdout)[0]["difference"] == 0


def test_a_protocol_is_listed_and_scored(tmp_path: Path) -> None:
    speech = librispeech(tmp_path)
    arguments = ("--corpus", speech, "--out", tmp_path / "l.jsonl")
    result = latentspeech("testset", "librispeech-4-10", *arguments, "--json")
    assert result.returncode == 1  # one voice has no second utterance
    assert b"121-121726-0000: no other utterance" in result.stderr
    values = json.loads(result.stdout)
    assert (values["num_utterances"], values["num_speakers"]) == (5, 2)
    spoken = tmp_path / "spoken"
    spoken.mkdir()
    for line in (tmp_path / "l.jsonl").read_text().splitlines():
        identifier = json.loads(line)["id"]
        (spoken / f"{identifier}.flac").write_bytes(speech_path(speech, identifier).read_bytes())
    result = latentspeech(
        "score", "--list", tmp_path / "l.jsonl", "--hyp", spoken, "--metrics", "mel", "--json"
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["metrics"][0]["value"] == pytest.approx(0.0, abs=1e-6)
    assert report["settings"]["list"]["sha256"] == values["sha256"]
    assert {row["facts"]["sex"] for row in report["items"]} == {"male"}
    assert b"librispeech-pc" in latentspeech("testset", "--list-protocols").stdout


@pytest.mark.slow
def test_every_metric_says_whether_it_is_here() -> None:
    result = latentspeech("score", "--list-metrics", "--json")
    assert result.returncode == 0, result.stderr
    found = {row["name"]: row["missing"] for row in json.loads(result.stdout)}
    assert found["mel"] is None
    assert found["rtf"] is None
    assert all(reason is None or len(reason) > 20 for reason in found.values())


def test_a_gpu_that_is_not_there_is_one_line_and_exit_code_2(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    result = score(corpus, "--device", "cuda")
    assert result.returncode == 2
    assert result.stderr.decode().startswith("error: device 'cuda' is not here")
    assert result.stdout == b""
    assert score(corpus, "--device", "cpu").returncode == 0
