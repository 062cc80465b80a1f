"""Imports modules of the mini recipe by name, as its scripts do."""

import importlib
import sys
from pathlib import Path

import pytest

LOCAL = Path(__file__).resolve().parents[3] / "egs" / "mini" / "local"


@pytest.fixture
def local(monkeypatch):
    """`local("sources.sky")` is that module; all are forgotten after the test."""
    monkeypatch.syspath_prepend(str(LOCAL))
    yield importlib.import_module
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "") or "").startswith(str(LOCAL)):
            del sys.modules[name]
