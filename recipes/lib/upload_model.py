"""Uploads a packed model directory to a repository of the Hugging Face hub, as one commit.

The token is HF_TOKEN or what `hf auth login` has left; HF_ENDPOINT names another hub. The model
card is the repository's README.md; RESULTS.md and the sample go beside it. Doing it again uploads
what has changed.
"""

import argparse
import logging
import re
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError, DataError, InputError

logger = logging.getLogger(__name__)

NEEDED = ("config.yaml", "model.safetensors", "README.md")


def upload_model(
    model: Path, repository: str, extra: list[Path], private: bool, token: str | None = None
) -> str:
    """Uploads; returns the address of the commit.

    Raises:
        ConfigError: no token, or `repository` is not owner/name.
        DataError: `model` is no model directory.
        InputError: the hub refused or cannot be reached.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi, get_token
        from huggingface_hub.errors import HfHubHTTPError
    except ModuleNotFoundError:
        raise ConfigError(
            "uploading needs huggingface_hub, which is not installed; "
            "pip install 'latentspeech[eval]'"
        ) from None
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ConfigError(f"--to is {repository!r}; expected owner/name of a repository")
    absent = [name for name in NEEDED if not (model / name).is_file()]
    if absent:
        raise DataError(f"{model} has no {', '.join(absent)}; expected a model directory: pack it")
    token = token or get_token()
    if token is None:
        raise ConfigError(
            f"no token to upload to {repository} with; run `hf auth login`, or set HF_TOKEN to a "
            "token that may write there"
        )
    files = {path.relative_to(model).as_posix(): path for path in sorted(model.rglob("*"))}
    files |= {path.name: path for path in extra}
    operations = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=path)
        for name, path in files.items()
        if path.is_file()
    ]
    api = HfApi(token=token)
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        commit = api.create_commit(
            repository, operations, commit_message="Model, codec, tokenizer and results"
        )
    except (HfHubHTTPError, OSError) as error:
        raise InputError(
            f"{repository} did not take the model ({' '.join(str(error).split())[:300]}); check "
            "its name, the token's rights and the network; the same command tries again"
        ) from None
    logger.info("%d files to %s", len(operations), repository)
    return str(commit.commit_url)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--to", required=True, help="owner/name; made if it does not exist")
    parser.add_argument("--results", type=Path, help="RESULTS.md")
    parser.add_argument("--sample", type=Path, help="audio file")
    parser.add_argument("--public", action="store_true", help="a new repository is private if not")
    arguments = parser.parse_args()
    extra = [path for path in (arguments.results, arguments.sample) if path is not None]
    address = upload_model(arguments.model, arguments.to, extra, not arguments.public)
    print(f"uploaded: {address}")


if __name__ == "__main__":
    run_recipe(main)
