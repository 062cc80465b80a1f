"""Uploading a packed model, against a hub that is not there."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError

from latentspeech.core.errors import ConfigError, DataError, InputError
from recipes.lib.upload_model import NEEDED, upload_model


class Hub:
    """Stands in for HfApi; `refuse` makes every commit fail."""

    refuse = False
    token = ""
    repositories: list[tuple[str, bool]]
    commits: list[dict[str, bytes]]

    def __init__(self, token: str) -> None:
        Hub.token = token

    def create_repo(self, name: str, private: bool, exist_ok: bool) -> None:
        assert exist_ok
        Hub.repositories.append((name, private))

    def create_commit(self, name: str, operations: list[Any], commit_message: str) -> Any:
        if Hub.refuse:
            answer: Any = SimpleNamespace(headers={}, request=None)
            raise HfHubHTTPError("403 Forbidden", response=answer)
        Hub.commits.append(
            {item.path_in_repo: Path(item.path_or_fileobj).read_bytes() for item in operations}
        )
        return SimpleNamespace(commit_url=f"https://hub/{name}/commit/1")


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> type[Hub]:
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    Hub.refuse, Hub.repositories, Hub.commits = False, [], []
    return Hub


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "codec").mkdir(parents=True)
    for name in (*NEEDED, "codec/config.yaml"):
        (folder / name).write_text(name)
    return folder


def test_the_whole_directory_goes_in_one_commit(model: Path, tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("results")
    address = upload_model(model, "lab/latentlm", [results], private=True, token="secret")
    assert address == "https://hub/lab/latentlm/commit/1"
    assert (Hub.token, Hub.repositories) == ("secret", [("lab/latentlm", True)])
    assert Hub.commits == [
        {
            "README.md": b"README.md",
            "codec/config.yaml": b"codec/config.yaml",
            "config.yaml": b"config.yaml",
            "model.safetensors": b"model.safetensors",
            "RESULTS.md": b"results",
        }
    ]


def test_without_token_it_says_where_to_put_one(model: Path) -> None:
    with pytest.raises(ConfigError, match="HF_TOKEN"):
        upload_model(model, "lab/latentlm", [], private=True)
    assert Hub.repositories == []


def test_a_refusal_and_a_wrong_folder_are_one_line(model: Path, tmp_path: Path) -> None:
    Hub.refuse = True
    with pytest.raises(InputError, match="did not take the model"):
        upload_model(model, "lab/latentlm", [], private=True, token="secret")
    with pytest.raises(ConfigError, match="owner/name"):
        upload_model(model, "latentlm", [], private=True, token="secret")
    with pytest.raises(DataError, match=r"has no config\.yaml"):
        upload_model(tmp_path, "lab/latentlm", [], private=True, token="secret")
