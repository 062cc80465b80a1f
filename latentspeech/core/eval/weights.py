"""Finds the weights of a big scoring model: in a folder, in a cache or on the network.

A `WeightSource` names the files of one published model. `resolve` looks, in this order, in

1. `<name>/` in the folder that the environment variable LATENTSPEECH_WEIGHTS names;
2. the Hugging Face cache, without the network;
3. our own cache of files that come from a plain address;
4. the network, only if downloads were allowed: `allow_download=True` or LATENTSPEECH_DOWNLOAD=1.

If it finds nothing, it raises MetricUnavailable with the command that gets the files. If it finds a
broken file, it raises CheckpointError, since to use another copy would hide the damage.
"""

import logging
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.core.eval.weight_files import check_whole, file_sha256, first_lines
from latentspeech.core.storage.files import atomic_path

logger = logging.getLogger(__name__)

FOLDER_VARIABLE = "LATENTSPEECH_WEIGHTS"
DOWNLOAD_VARIABLE = "LATENTSPEECH_DOWNLOAD"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class WeightSource:
    """One published model: its files and where they are published.

    `weights` are alternatives for one file, the preferred one first (safetensors before pickle);
    all of `files` are needed. Either `repo` (on the hub) or `url` (of weights[0], which is then
    the only file) says where they are published.
    """

    name: str  # the folder under LATENTSPEECH_WEIGHTS
    weights: tuple[str, ...]
    licence: str
    size_mb: int
    files: tuple[str, ...] = ()
    repo: str = ""
    revision: str = "main"
    url: str = ""
    sha256: str = ""  # of the weights, if the field uses one file

    def where(self) -> str:
        """The published address, for `describe`."""
        return f"{self.repo} ({self.revision}) on the Hugging Face hub" if self.repo else self.url

    def remedy(self) -> str:
        """Tells a user how to get the files."""
        names = ", ".join((*self.files, " or ".join(self.weights)))
        if self.repo:
            revision = "" if self.revision == "main" else f" --revision {self.revision}"
            wanted = " ".join((*self.files, *self.weights))
            fetch = f"run: hf download {self.repo}{revision} {wanted}"
        else:
            fetch = f"download {self.url}"
        return (
            f"{fetch} ({self.size_mb} MB, licence {self.licence}), or put {names} into "
            f"$LATENTSPEECH_WEIGHTS/{self.name}/, or allow downloads with {DOWNLOAD_VARIABLE}=1"
        )


@dataclass(frozen=True)
class Weights:
    """The files of a source on this disk: their folder, and the path of the file of tensors."""

    source: WeightSource
    folder: Path
    path: Path

    def checkpoint(self) -> str:
        """The file, its hash and where the source is published, for reports."""
        digest = file_sha256(self.path)[:16]
        return f"{self.path.name}, sha256 {digest}..., of {self.source.where()}"

    def file(self, name: str) -> Path:
        """One of the source's other files."""
        return self.folder / name


def resolve(source: WeightSource, allow_download: bool = False) -> Weights:
    """Finds a source's files, checks that they are whole, and fetches them if that is allowed."""
    weights = _from_folder(source) or _from_hub_cache(source) or _from_own_cache(source)
    if weights is None and (allow_download or downloads_allowed()):
        weights = _download(source)
    if weights is None:
        raise MetricUnavailable(
            f"the weights {source.name} are not on this machine; {source.remedy()}"
        )
    for path in (weights.path, *(weights.file(name) for name in source.files)):
        check_whole(path)
    if source.sha256 and file_sha256(weights.path) != source.sha256:
        raise CheckpointError(
            f"{weights.path} has sha256 {file_sha256(weights.path)[:16]}...; expected the "
            f"published file, {source.sha256[:16]}...; {source.remedy()}"
        )
    return weights


def downloads_allowed() -> bool:
    """Whether LATENTSPEECH_DOWNLOAD allows downloads; ConfigError if it is neither 0 nor 1."""
    word = os.environ.get(DOWNLOAD_VARIABLE, "0").strip().lower()
    if word not in ("", "0", "1"):
        raise ConfigError(f"{DOWNLOAD_VARIABLE} is {word!r}; expected 1 (download) or 0 (do not)")
    return word == "1"


def _from_folder(source: WeightSource) -> Weights | None:
    named = os.environ.get(FOLDER_VARIABLE, "")
    if not named:
        return None
    root = Path(named).expanduser()
    if not root.is_dir():
        raise ConfigError(
            f"{FOLDER_VARIABLE} is {named}, which is not a folder; create it or unset the variable"
        )
    folder = root / source.name
    if not folder.is_dir():
        return None
    found = _in_folder(source, folder)
    if found is None:
        missing = [name for name in source.files if not (folder / name).is_file()]
        if not any((folder / name).is_file() for name in source.weights):
            missing.append(" or ".join(source.weights))
        raise MetricUnavailable(f"{folder} lacks {', '.join(missing)}; {source.remedy()}")
    return found


def _in_folder(source: WeightSource, folder: Path) -> Weights | None:
    if not all((folder / name).is_file() for name in source.files):
        return None
    for name in source.weights:
        if (folder / name).is_file():
            return Weights(source, folder, folder / name)
    return None


def _from_hub_cache(source: WeightSource) -> Weights | None:
    if not source.repo:
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ModuleNotFoundError:
        return None
    for name in (*source.weights, *source.files):
        found = try_to_load_from_cache(source.repo, name, revision=source.revision)
        if isinstance(found, str):  # else None, or an object that means the hub has no such file
            folder = Path(found).parents[len(Path(name).parts) - 1]
            return _in_folder(source, folder)
    return None


def own_cache() -> Path:
    """The folder of files that come from a plain address."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "latentspeech" / "weights"


def _from_own_cache(source: WeightSource) -> Weights | None:
    return _in_folder(source, own_cache() / source.name) if source.url else None


def _download(source: WeightSource) -> Weights:
    logger.info("fetching %s, %d MB, licence %s", source.where(), source.size_mb, source.licence)
    try:
        weights = _download_from_hub(source) if source.repo else _download_from_url(source)
    except OSError as error:  # all errors of the network and of the hub are OSErrors
        raise MetricUnavailable(
            f"{source.where()} could not be fetched ({first_lines(str(error))}); {source.remedy()}"
        ) from error
    assert weights is not None
    return weights


def _download_from_hub(source: WeightSource) -> Weights | None:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    except ModuleNotFoundError:
        raise MetricUnavailable(
            f"fetching {source.where()} needs a package; run: pip install huggingface_hub"
        ) from None
    for name in source.files:
        hf_hub_download(source.repo, name, revision=source.revision)
    for name in source.weights:
        try:
            hf_hub_download(source.repo, name, revision=source.revision)
        except LocalEntryNotFoundError:  # there is no connection for the next name either
            raise
        except EntryNotFoundError:
            if name == source.weights[-1]:
                raise
            continue
        break
    return _from_hub_cache(source)


def _download_from_url(source: WeightSource) -> Weights | None:
    folder = own_cache() / source.name
    folder.mkdir(parents=True, exist_ok=True)
    with (
        urllib.request.urlopen(source.url, timeout=60) as response,
        atomic_path(folder / source.weights[0]) as temporary,
        temporary.open("wb") as file,
    ):
        promised = int(response.headers.get("Content-Length") or 0)
        while block := response.read(_BLOCK_BYTES):
            file.write(block)
        if promised and file.tell() != promised:
            raise OSError(f"{file.tell()} of {promised} bytes arrived")
    return _in_folder(source, folder)
