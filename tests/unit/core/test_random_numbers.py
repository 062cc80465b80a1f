"""A seed means the same noise with and without torch."""

import numpy as np
import pytest
import torch

from latentspeech.core.random_numbers import Twister
from latentspeech.core.seeds import derive_seed


@pytest.mark.parametrize("seed", [0, 1, 2**32 + 7, derive_seed(3, "synthesis")])
def test_the_numbers_are_those_of_torch(seed: int) -> None:
    """Several draws of one stream, of both kinds."""
    stream, generator = Twister(seed), torch.Generator().manual_seed(seed)
    for shape in ((64, 1), (64, 32), (64, 5)):
        uniform = torch.rand(shape, generator=generator).numpy()
        assert np.array_equal(stream.uniform(*shape), uniform)
        normal = torch.randn(shape, generator=generator).numpy()
        np.testing.assert_allclose(stream.normal(*shape), normal, rtol=0, atol=1e-6)


def test_normal_numbers_come_in_blocks() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        Twister(0).normal(5)
