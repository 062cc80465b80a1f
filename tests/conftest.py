"""Sets one thread and a fixed seed, so that tests can run side by side and repeat exactly.

Tests marked `gpu` are skipped without a GPU.
"""

import pytest
import torch


@pytest.fixture(autouse=True)
def _single_thread_and_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests marked `gpu` if torch finds no GPU."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu") is not None:
            item.add_marker(pytest.mark.skip(reason="torch finds no GPU"))
