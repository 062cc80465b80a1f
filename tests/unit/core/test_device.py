"""Which device a command computes on, and what it says of one that is not there."""

import os

import pytest
import torch

from latentspeech.core.device import CPU, choose_device, describe_device
from latentspeech.core.errors import ConfigError


@pytest.mark.parametrize(
    ("count", "asked", "expected"),
    [
        (0, "auto", "cpu"),
        (0, "cpu", "cpu"),
        (2, "auto", "cuda:0"),
        (2, "cpu", "cpu"),
        (2, "cuda", "cuda:0"),
        (2, "cuda:1", "cuda:1"),
    ],
)
def test_auto_takes_a_gpu_where_there_is_one(
    count: int, asked: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "")  # so that it is taken back afterwards
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    assert choose_device(asked) == torch.device(expected)
    # Only a GPU has products of fewer bits to turn off.
    assert os.environ.get("NVIDIA_TF32_OVERRIDE") == (None if expected == "cpu" else "0")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("cuda", "finds 0 GPU"),
        ("cuda:7", "finds 0 GPU"),
        ("gpu", "expected auto"),
        ("meta", "expected auto"),
        ("", "expected auto"),
    ],
)
def test_a_device_that_is_not_there_is_refused(
    asked: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match=message):
        choose_device(asked)


def test_numbers_of_the_cpu_carry_no_device() -> None:
    assert describe_device(CPU) == {}
