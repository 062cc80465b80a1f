"""One thread and a fixed seed, so that tests run side by side and repeat."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _single_thread_and_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
