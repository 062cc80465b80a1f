import http.server
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file

from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.core.eval.weight_files import (
    check_whole,
    file_sha256,
    load_strictly,
    load_tensors,
)
from latentspeech.core.eval.weights import WeightSource, own_cache, resolve

SOURCE = WeightSource(
    name="judge",
    weights=("model.safetensors", "pytorch_model.bin"),
    files=("config.json",),
    repo="somebody/judge",
    licence="MIT",
    size_mb=12,
)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No weights anywhere: no variables, empty caches, no network."""
    import huggingface_hub.constants as constants

    monkeypatch.delenv("LATENTSPEECH_WEIGHTS", raising=False)
    monkeypatch.delenv("LATENTSPEECH_DOWNLOAD", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def fill(folder: Path, name: str = "model.safetensors") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    tensors = {"weight": torch.arange(1000.0)}
    if name.endswith(".safetensors"):
        save_file(tensors, folder / name)
    else:
        torch.save(tensors, folder / name)
    return folder


def test_missing_weights_name_the_command_the_size_and_the_licence():
    command = r"hf download somebody/judge config.json model.safetensors pytorch_model.bin"
    with pytest.raises(MetricUnavailable, match=command) as error:
        resolve(SOURCE)
    text = str(error.value)
    assert "12 MB, licence MIT" in text
    assert "$LATENTSPEECH_WEIGHTS/judge/" in text
    assert "LATENTSPEECH_DOWNLOAD=1" in text
    assert "\n" not in text


def test_a_folder_given_by_the_user_comes_first(monkeypatch, tmp_path):
    folder = fill(tmp_path / "weights" / "judge", "pytorch_model.bin")
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path / "weights"))
    found = resolve(SOURCE)
    assert (found.folder, found.path.name) == (folder, "pytorch_model.bin")
    assert torch.equal(load_tensors(found.path)["weight"], torch.arange(1000.0))
    fill(folder)  # both kinds are there: safetensors it is
    assert resolve(SOURCE).path.name == "model.safetensors"
    assert resolve(SOURCE).file("config.json").read_text() == "{}"
    assert file_sha256(folder / "model.safetensors")[:16] in resolve(SOURCE).checkpoint()


def test_an_incomplete_folder_names_what_it_lacks(monkeypatch, tmp_path):
    folder = tmp_path / "weights" / "judge"
    folder.mkdir(parents=True)
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path / "weights"))
    lacks = r"lacks config.json, model.safetensors or pytorch_model.bin; run: hf download"
    with pytest.raises(MetricUnavailable, match=lacks):
        resolve(SOURCE)
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="not a folder"):
        resolve(SOURCE)


def test_the_hub_cache_is_read_without_the_network(tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "hub" / "models--somebody--judge"
    fill(repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    assert resolve(SOURCE).folder == repo / "snapshots" / commit
    (repo / "snapshots" / commit / "config.json").unlink()
    with pytest.raises(MetricUnavailable):
        resolve(SOURCE)


def test_a_download_that_fails_says_why_and_what_to_do(monkeypatch):
    monkeypatch.setenv("LATENTSPEECH_DOWNLOAD", "1")
    with pytest.raises(MetricUnavailable, match=r"could not be fetched .*run: hf download"):
        resolve(SOURCE)
    monkeypatch.setenv("LATENTSPEECH_DOWNLOAD", "yes")
    with pytest.raises(ConfigError, match="'yes'; expected 1"):
        resolve(SOURCE)


class Server(http.server.BaseHTTPRequestHandler):
    """Promises 100 bytes of /whole and of /short, and gives 60 of the second."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x" * (60 if self.path == "/short" else 100))

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_plain_address_is_fetched_once_if_that_is_allowed(address):
    source = WeightSource("plain", ("w.pt",), "MIT", 1, url=f"{address}/whole")
    with pytest.raises(MetricUnavailable, match=rf"download {address}/whole \(1 MB"):
        resolve(source)
    found = resolve(source, allow_download=True)
    assert found.path == own_cache() / "plain" / "w.pt"
    assert found.path.read_bytes() == b"x" * 100
    assert resolve(source).path == found.path
    short = replace(source, name="short", url=f"{address}/short")
    with pytest.raises(MetricUnavailable, match="60 of 100 bytes arrived"):
        resolve(short, allow_download=True)
    assert not list((own_cache() / "short").iterdir())


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub that has config.json and pytorch_model.bin of somebody/judge, and no safetensors."""

    files: ClassVar = {"config.json": b"{}", "pytorch_model.bin": b""}
    asked: ClassVar = []

    def do_HEAD(self):
        name = self.path.rsplit("/", 1)[-1]
        self.asked.append((self.command, name))
        found = name in self.files
        self.send_response(200 if found else 404)
        self.send_header("X-Repo-Commit", "0123456789abcdef0123456789abcdef01234567")
        if found:
            self.send_header("ETag", f'"{name}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(self.files.get(name, b""))))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(self.files.get(self.path.rsplit("/", 1)[-1], b""))

    def log_message(self, *_):
        pass


@pytest.mark.slow
def test_the_hub_is_asked_for_the_next_kind_of_file_if_it_lacks_the_first(tmp_path):
    torch.save({"weight": torch.ones(3)}, tmp_path / "w.bin")
    Hub.files["pytorch_model.bin"] = (tmp_path / "w.bin").read_bytes()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    program = (
        "from latentspeech.core.eval.weights import WeightSource, resolve\n"
        f"source = {SOURCE!r}\n"
        "found = resolve(source, allow_download=True)\n"
        "assert resolve(source) == found\n"
        "print(found.path)\n"
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    server.shutdown()
    assert result.returncode == 0, result.stderr
    path = Path(result.stdout.strip())
    assert path.name == "pytorch_model.bin"
    assert path.is_relative_to(tmp_path / "hub")
    assert torch.equal(load_tensors(path)["weight"], torch.ones(3))
    assert ("HEAD", "model.safetensors") in Hub.asked


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_truncated_file_is_an_error_wherever_it_is_cut(monkeypatch, tmp_path, name):
    path = fill(tmp_path / "weights" / "judge", name) / name
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path / "weights"))
    content = path.read_bytes()
    for length in (len(content) - 1, len(content) // 2, 40, 6):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="truncated"):
            resolve(SOURCE)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="empty"):
        resolve(SOURCE)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(CheckpointError, match="git lfs pull"):
        resolve(SOURCE)


def test_another_file_than_the_published_one_is_refused(monkeypatch, tmp_path):
    path = fill(tmp_path / "weights" / "judge") / "model.safetensors"
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path / "weights"))
    assert resolve(replace(SOURCE, sha256=file_sha256(path))).path == path
    with pytest.raises(CheckpointError, match="expected the published file"):
        resolve(replace(SOURCE, sha256="0" * 64))


class Harmful:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_code_in_a_pickle_is_not_run(tmp_path, capsys):
    torch.save({"weight": Harmful()}, tmp_path / "w.pth")
    check_whole(tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="cannot be read as tensors"):
        load_tensors(tmp_path / "w.pth")
    assert capsys.readouterr().out == ""


def test_weights_must_fit_name_by_name(tmp_path):
    module = torch.nn.Linear(3, 2)
    path = tmp_path / "w.pt"
    tensors = {"weight": torch.ones(2, 3), "bias": torch.ones(2)}
    load_strictly(module, tensors, path)
    assert module(torch.ones(3)).tolist() == [4.0, 4.0]
    for wrong in (
        {"weight": torch.ones(2, 3)},
        {**tensors, "scale": torch.ones(2)},
        {**tensors, "bias": torch.ones(3)},
    ):
        with pytest.raises(CheckpointError, match=r"w.pt does not fit Linear"):
            load_strictly(module, wrong, path)
