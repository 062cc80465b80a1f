"""Short names for the modules beside a corpus."""

import importlib

import pytest


@pytest.fixture
def local():
    """`local("sources.terms")` is that module of egs/mini/local."""
    return lambda name: importlib.import_module(f"egs.mini.local.{name}")


@pytest.fixture
def libriheavy():
    """`libriheavy("make_cuts")` is that module of egs/libriheavy/local."""
    return lambda name: importlib.import_module(f"egs.libriheavy.local.{name}")
