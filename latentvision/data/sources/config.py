"""Which pictures a run reads: one configuration for each kind of source, and how it is opened."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.data.file_store import LocalCacheConfig
from latentvision.data.sources.array import ArrayImages
from latentvision.data.sources.emoji import EmojiImages, EmojiSplit
from latentvision.data.sources.folder import ImageFolder
from latentvision.data.sources.idx import FASHION_CLASSES, IdxImages
from latentvision.data.sources.parquet import ParquetImages
from latentvision.data.sources.source import ImageSource
from latentvision.data.sources.tar import TarImages

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_FASHION_FILES = {"train": "train", "test": "t10k"}


class FolderConfig(Config):
    """A folder with a folder for each class, like ImageNet's."""

    kind: Literal["folder"] = "folder"
    path: Path = Field(description="folder of the folders of classes")


class TarConfig(Config):
    """Tar files in webdataset's layout."""

    kind: Literal["tar"] = "tar"
    location: str = Field(description="folder or URL of the tar files")
    cache: LocalCacheConfig = Field(LocalCacheConfig(), description="copies of files of a URL")


class ParquetConfig(Config):
    """Parquet files in the layout of the Hugging Face hub."""

    kind: Literal["parquet"] = "parquet"
    location: str = Field(description="folder or URL of the Parquet files")
    cache: LocalCacheConfig = Field(LocalCacheConfig(), description="copies of files of a URL")


class FashionConfig(Config):
    """Fashion-MNIST as Debian packages it."""

    kind: Literal["fashion_mnist"] = "fashion_mnist"
    folder: Path = Field(FASHION_FOLDER, description="folder of the four idx files")
    split: Literal["train", "test"] = Field("train", description="60,000 or 10,000 pictures")


class EmojiConfig(Config):
    """An unpacked npm package emoji-datasource-google, or another vendor's."""

    kind: Literal["emoji"] = "emoji"
    folder: Path = Field(description="folder that holds emoji.json and img/")
    split: EmojiSplit = Field("train", description="test: a tenth of the emoji, in all skin tones")


class ArrayConfig(Config):
    """A file of many images of one size, such as ADM's .npz of samples."""

    kind: Literal["array"] = "array"
    path: Path = Field(description=".npz or .safetensors file")


SourceConfig = Annotated[
    FolderConfig | TarConfig | ParquetConfig | FashionConfig | EmojiConfig | ArrayConfig,
    Field(discriminator="kind"),
]


def open_source(config: SourceConfig, skip_bad: bool = False) -> ImageSource:
    """Opens the source; DataError if it is missing, empty or damaged.

    With `skip_bad` the pictures of a damaged tar file before the break are used.
    """
    match config:
        case FolderConfig():
            return ImageFolder(config.path)
        case TarConfig():
            return TarImages(config.location, config.cache, skip_bad)
        case ParquetConfig():
            return ParquetImages(config.location, config.cache)
        case FashionConfig():
            images, labels = (
                config.folder / f"{_FASHION_FILES[config.split]}-{kind}-ubyte.gz"
                for kind in ("images-idx3", "labels-idx1")
            )
            return IdxImages(images, labels, FASHION_CLASSES)
        case EmojiConfig():
            return EmojiImages(config.folder, config.split)
        case ArrayConfig():
            return ArrayImages(config.path)
