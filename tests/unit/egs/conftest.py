"""Imports modules of the recipes by name, as their scripts do."""

import importlib
import sys
from pathlib import Path

import pytest

EGS = Path(__file__).resolve().parents[3] / "egs"


def importer(monkeypatch, folder):
    """Imports modules of `folder`; all are forgotten after the test."""
    monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "") or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def local(monkeypatch):
    """`local("sources.sky")` is that module of egs/mini."""
    yield from importer(monkeypatch, EGS / "mini" / "local")


@pytest.fixture
def libriheavy(monkeypatch):
    """`libriheavy("make_cuts")` is that module of egs/libriheavy."""
    yield from importer(monkeypatch, EGS / "libriheavy" / "local")
