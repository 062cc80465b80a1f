"""Finds out which kind of source a path is: for commands that take pictures by one argument."""

from pathlib import Path

from pydantic import Field

from latentspeech.core.config import Config, parse_config, read_yaml
from latentspeech.core.errors import DataError
from latentvision.data.sources.array import SUFFIXES
from latentvision.data.sources.config import (
    ArrayConfig,
    FolderConfig,
    ParquetConfig,
    SourceConfig,
    TarConfig,
    open_source,
)
from latentvision.data.sources.source import ImageSource


class _SourceFile(Config):
    source: SourceConfig = Field(description="content of the YAML file")


def open_pictures(path: Path) -> ImageSource:
    """Opens the pictures at a path.

    Args:
        path: a folder of pictures, flat or with a folder for each class; a folder of tar or Parquet
            files; a file .npz or .safetensors of images; or a YAML file of a source, such as
            `kind: fashion_mnist`.

    Raises:
        DataError: there is nothing of that kind, or it is damaged.
        ConfigError: the YAML file describes no source.
    """
    return open_source(_config_of(Path(path)))


def _config_of(path: Path) -> SourceConfig:
    if path.suffix in (".yaml", ".yml"):
        return parse_config(_SourceFile, {"source": read_yaml(path)}, origin=str(path)).source
    if path.suffix in SUFFIXES:
        return ArrayConfig(path=path)
    if not path.is_dir():
        found = "is neither a folder nor such a file" if path.exists() else "does not exist"
        raise DataError(
            f"{path} {found}; expected pictures: a folder, a file .npz or .safetensors of images, "
            "or a .yaml of a source"
        )
    if any(path.glob("*.tar")):
        return TarConfig(location=str(path))
    if any(path.glob("*.parquet")):
        return ParquetConfig(location=str(path))
    return FolderConfig(path=path)
