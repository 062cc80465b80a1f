"""YAML with a base, overrides, and errors that name the nearest key."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, model_validator

from latentspeech.core.config import Config, apply_override, load_config, merge, parse_config
from latentspeech.core.errors import ConfigError


class Square(Config):
    kind: Literal["square"] = "square"
    side: float = 1.0


class Circle(Config):
    kind: Literal["circle"] = "circle"
    radius: float = 1.0


class Drawing(Config):
    shape: Square | Circle = Field(Square(), discriminator="kind")
    width: int = Field(3, ge=1)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_overrides_its_base_key_by_key(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "width: 5\nshape: {kind: square, side: 2.0}\n")
    path = write(tmp_path / "run.yaml", "base: base.yaml\nshape: {side: 4.0}\n")
    assert load_config(Drawing, path) == Drawing(shape=Square(side=4.0), width=5)
    changed = load_config(Drawing, path, ["shape.side=0.5", "width=7"])
    assert changed == Drawing(shape=Square(side=0.5), width=7)


def test_another_kind_replaces_what_the_base_says_of_the_old_one(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "width: 5\nshape: {kind: square, side: 2.0}\n")
    path = write(tmp_path / "run.yaml", "base: base.yaml\nshape: {kind: circle}\n")
    assert load_config(Drawing, path) == Drawing(shape=Circle(), width=5)
    assert merge({"a": {"kind": "x", "b": 1}}, {"a": {"kind": "x", "c": 2}}) == {
        "a": {"kind": "x", "b": 1, "c": 2}
    }


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown key 'widht'; did you mean 'width'"):
        parse_config(Drawing, {"widht": 1})
    with pytest.raises(ConfigError, match="width = 0"):
        parse_config(Drawing, {"width": 0})


@pytest.mark.parametrize("override", ["width", "=3", "width.x=1", "width=[1"])
def test_a_bad_override_is_told(override: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        apply_override({"width": 1}, override)


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [1\n"])
def test_a_file_that_is_no_mapping_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        load_config(Drawing, write(tmp_path / "run.yaml", text))
    with pytest.raises(ConfigError, match="not found"):
        load_config(Drawing, tmp_path / "absent.yaml")


class Range(Config):
    low: float = Field(0.0, ge=0, description="where it begins")
    high: float = Field(1.0, description="where it ends")

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if self.low > self.high:
            raise ValueError("low is above high; exchange them")
        return self


def test_a_check_of_several_settings_speaks_for_itself() -> None:
    """All settings of a model would hide the one sentence that says what is wrong."""
    with pytest.raises(ConfigError) as caught:
        parse_config(Range, {"low": 3.0, "high": 2.0}, "a.yaml")
    assert str(caught.value) == "a.yaml: config: low is above high; exchange them"


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ConfigError, match=r"high = .*finite"):
        parse_config(Range, {"high": value})
