"""Weights that do not fit the configuration are refused by name."""

import numpy as np
import pytest

from latentspeech.core.errors import CheckpointError
from latentspeech.core.storage.weights import Weights


def make() -> Weights:
    arrays = {"a.b.weight": np.ones((2, 3), np.float16), "a.bias": np.zeros(2, np.float32)}
    return Weights(arrays, "model.safetensors")


def test_parts_are_read_as_modules_have_them() -> None:
    weights = make()
    found = weights.part("a").part("b").take("weight", 2, 3)
    assert found.dtype == np.float32
    assert found.shape == (2, 3)
    weights.part("a.b").check_all_taken()
    with pytest.raises(CheckpointError, match=r"a\.bias are not expected"):
        weights.check_all_taken()
    weights.take("a.bias", 2)
    weights.check_all_taken()


@pytest.mark.parametrize(
    ("name", "shape", "found"),
    [("b.weight", (3, 2), r"of shape \(2, 3\)"), ("c", (1,), "missing")],
)
def test_what_is_missing_or_of_another_shape_is_named(
    name: str, shape: tuple[int, ...], found: str
) -> None:
    with pytest.raises(
        CheckpointError, match=f"model.safetensors does not fit.*a.{name} is {found}"
    ):
        make().part("a").take(name, *shape)
