"""The paper's result tables as data, with the published columns, rows and order.

The paper is Sun et al. 2024, arXiv 2412.08635. Tables are numbered as in its second version, and
"poster" is the tokenizer table of its poster. Each table is a YAML file beside this file; a value
that the paper leaves out is null.
"""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from latentspeech.core.config import Config, load_config
from latentspeech.core.errors import ConfigError

ARXIV = "2412.08635"
POSTER: Literal["poster"] = "poster"
_FOLDER = Path(__file__).parent


class Column(Config):
    """One column: a setting of the system (`metric` is null), or a metric."""

    key: str = Field(description="unique in its table")
    title: str = Field(description="the printed heading")
    group: str = Field("", description="the heading above several columns")
    unit: str = Field("", description="empty for a pure number")
    direction: Literal["higher", "lower", "none"] = Field(description="which end is better")
    metric: str | None = Field(None, description="the metric's key in reports; null for a setting")
    decimals: int | None = Field(None, ge=0, description="decimals to print; null: as in the file")

    @property
    def heading(self) -> str:
        """Group, title, unit and an arrow towards the better end."""
        arrow = {"higher": " \u2191", "lower": " \u2193", "none": ""}[self.direction]
        group = f"{self.group}: " if self.group else ""
        return f"{group}{self.title} {self.unit}".rstrip() + arrow

    def text(self, value: float | str) -> str:
        """The value with this column's decimals."""
        if isinstance(value, str):
            return value
        return f"{value:g}" if self.decimals is None else f"{value:.{self.decimals}f}"


class PublishedRow(Config):
    """One printed row."""

    name: str = Field(description="system, in ASCII")
    values: tuple[int | float | str | None, ...] = Field(description="one a column, or null")
    group: str = Field("", description="the paper's kind of system")
    first_version_only: bool = Field(False, description="dropped from the second version")


class PaperTable(Config):
    """One table of the paper."""

    table: Annotated[int, Field(ge=1)] | Literal["poster"] = Field(
        description="number in the second version; poster: the table of the paper's poster"
    )
    first_version_table: int | None = Field(None, description="number in the first version")
    title: str = Field(description="the subject of the table")
    data: str = Field(description="the data that was measured on")
    notes: tuple[str, ...] = Field((), description="notes on the rows")
    columns: tuple[Column, ...] = Field(description="in the paper's order")
    rows: tuple[PublishedRow, ...] = Field(description="in the paper's order")

    @model_validator(mode="after")
    def _check(self) -> "PaperTable":
        keys = [column.key for column in self.columns]
        if len(set(keys)) != len(keys):
            raise ValueError(f"column keys occur twice: {keys}")
        for row in self.rows:
            if len(row.values) != len(keys):
                raise ValueError(
                    f"row {row.name} has {len(row.values)} values; expected {len(keys)}, as columns"
                )
        return self

    @property
    def source(self) -> str:
        """Where a reader finds the table."""
        if self.table == POSTER:
            return f"the poster of arXiv {ARXIV}"
        first = self.first_version_table
        other = "" if first in (None, self.table) else f" (Table {first} of its first version)"
        return f"arXiv {ARXIV}, Table {self.table}{other}"

    def column(self, key: str) -> Column:
        """The column of a key; ConfigError if the table has none."""
        for column in self.columns:
            if column.key == key:
                return column
        known = ", ".join(column.key for column in self.columns)
        raise ConfigError(f"Table {self.table} has no column {key!r}; it has {known}")


def paper_table_numbers() -> list[int]:
    """The numbers of the paper's tables that are kept here, in order, without the poster's."""
    names = (re.fullmatch(r"table(\d+)\.yaml", path.name) for path in _FOLDER.iterdir())
    return sorted(int(name.group(1)) for name in names if name is not None)


@cache
def load_paper_table(number: int | Literal["poster"]) -> PaperTable:
    """Loads table `number` of the paper, or the poster's; ConfigError if it is not kept here."""
    if number == POSTER:
        return load_config(PaperTable, _FOLDER / "poster.yaml")
    if number not in paper_table_numbers():
        known = ", ".join(str(known) for known in paper_table_numbers())
        raise ConfigError(f"Table {number} of the paper is not kept here; known: {known}")
    return load_config(PaperTable, _FOLDER / f"table{number}.yaml")
