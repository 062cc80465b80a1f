"""The docs point to things that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = "latentspeech|latentvision|tests|egs|recipes|tools|benchmarks"
PLACE = re.compile(rf"`((?:{FOLDERS})/[\w/.-]+)(?:::([\w.]+))?`")


def places(document: Path) -> list[tuple[str, str]]:
    return PLACE.findall(document.read_text(encoding="utf-8"))


def definitions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = (child for child in node.body if isinstance(child, ast.FunctionDef))
            names.update(f"{node.name}.{child.name}" for child in inner)
    return names


@pytest.mark.parametrize(
    "document", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_every_place_named_exists(document: Path) -> None:
    for path, symbol in places(document):
        assert (ROOT / path).exists(), f"{document.name} names {path}"
        if symbol:
            assert symbol in definitions(ROOT / path), f"{document.name} names {path}::{symbol}"


def test_the_map_to_the_paper_is_not_empty() -> None:
    assert len(places(ROOT / "docs/paper_to_code.md")) > 30


def test_figures_of_the_readme_stand_in_the_files_that_it_names() -> None:
    results = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Results")[2]
    rows = re.findall(r"^\|(.+)\|(.+)\|(.+)\| \[.+\]\((.+)\) \|$", results, re.MULTILINE)
    assert len(rows) == 8
    for _, figure, beside, path in rows:
        source = (ROOT / path).read_text(encoding="utf-8")
        for number in re.findall(r"\d+\.\d+", figure + beside):
            assert number in source, f"README.md has {number}, {path} does not"
