"""Command line options that name pictures: one line of YAML, as in the configuration of a run."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import ConfigError
from latentvision.data.sources.config import SourceConfig


class _Given(Config):
    source: SourceConfig = Field(description="the pictures")


def parse_source(text: str) -> SourceConfig:
    """Reads `{kind: folder, path: /DIR}`; ConfigError if it is not the name of a source."""
    try:
        values: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        values = None
    if not isinstance(values, dict):
        raise ConfigError(
            f"a source of pictures is given as {text!r}; expected one line of YAML such as "
            f"{{kind: folder, path: {Path('/pictures')}}}: docs/images.md has the kinds"
        )
    return parse_config(_Given, {"source": values}, origin="source").source
