"""A change of structure leaves what ships as it was, bit for bit (tests/behaviour.py)."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.behaviour import RUNTIMES, record

VARIABLE = "LATENTSPEECH_BEHAVIOUR"

pytestmark = pytest.mark.skipif(
    VARIABLE not in os.environ,
    reason=f"{VARIABLE} names no folder that `python -m tests.behaviour` wrote at another commit",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    now = tmp_path_factory.mktemp("behaviour")
    record(now)
    return Path(os.environ[VARIABLE]), now


@pytest.mark.parametrize("name", [*(f"speech_{runtime}" for runtime in RUNTIMES), "codec"])
def test_samples_and_latents_are_the_same(folders: tuple[Path, Path], name: str) -> None:
    before, now = (np.load(folder / f"{name}.npz") for folder in folders)
    assert before.files == now.files
    different = [key for key in before.files if not np.array_equal(before[key], now[key])]
    assert not different


@pytest.mark.parametrize("name", ["scores", "losses"])
def test_numbers_are_the_same(folders: tuple[Path, Path], name: str) -> None:
    before, now = (json.loads((folder / f"{name}.json").read_text()) for folder in folders)
    assert before == now
