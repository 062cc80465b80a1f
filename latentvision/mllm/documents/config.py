"""Which pages a run reads: one configuration for each kind of source, and how it is opened."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.data.file_store import LocalCacheConfig
from latentvision.data.sources.config import SourceConfig, open_source
from latentvision.mllm.documents.captioned import CaptionedPages
from latentvision.mllm.documents.json_lines import JsonLinesPages
from latentvision.mllm.documents.parquet import ParquetPages
from latentvision.mllm.documents.picture_folder import PictureFolder
from latentvision.mllm.documents.source import PageSource


class CaptionedPagesConfig(Config):
    """Pictures with captions, as pairs: webdataset tar files, emoji and others."""

    kind: Literal["captioned"] = "captioned"
    source: SourceConfig = Field(description="the pictures")


class JsonLinesPagesConfig(Config):
    """Files .jsonl of pages."""

    kind: Literal["jsonl"] = "jsonl"
    location: str = Field(description="folder or URL of the files")
    pictures: Path = Field(description="folder of the pictures that pages name")
    cache: LocalCacheConfig = Field(LocalCacheConfig(), description="copies of files of a URL")


class ParquetPagesConfig(Config):
    """Parquet files in the layouts of LAION, COYO, img2dataset and OBELICS."""

    kind: Literal["parquet"] = "parquet"
    location: str = Field(description="folder or URL of the files")
    pictures: Path = Field(description="folder of the pictures of URLs, named by their SHA-256")
    cache: LocalCacheConfig = Field(LocalCacheConfig(), description="copies of files of a URL")


PageSourceConfig = Annotated[
    CaptionedPagesConfig | JsonLinesPagesConfig | ParquetPagesConfig, Field(discriminator="kind")
]


def open_pages(config: PageSourceConfig) -> PageSource:
    """Opens the source; DataError if it is missing, empty or damaged."""
    match config:
        case CaptionedPagesConfig():
            return CaptionedPages(open_source(config.source))
        case JsonLinesPagesConfig():
            return JsonLinesPages(config.location, PictureFolder(config.pictures), config.cache)
        case ParquetPagesConfig():
            return ParquetPages(config.location, PictureFolder(config.pictures), config.cache)
