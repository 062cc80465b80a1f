"""Nodes wait for each other and hear node 0."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from latentspeech.core.errors import ConfigError, InputError
from recipes.lib.barrier import wait_for_all


@pytest.fixture
def endpoint() -> str:
    """A host:port whose next port is free."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1] - 1}"


def test_all_nodes_hear_node_0_at_each_place_in_turn(endpoint: str) -> None:
    """Others may come first, and be at the next place while the store of the last one closes."""

    def visit(rank: int) -> list[str]:
        return [
            wait_for_all(name, message if rank == 0 else "", rank, 3, endpoint, 30)
            for name, message in (("first", "run"), ("second", "done"), ("third", ""))
        ]

    with ThreadPoolExecutor(3) as pool:
        heard = list(pool.map(visit, (2, 1, 0)))
    assert heard == [["run", "done", ""]] * 3


def test_a_node_that_does_not_come_is_told(endpoint: str) -> None:
    with pytest.raises(InputError, match="start the same command on every node"):
        wait_for_all("first", "run", 0, 2, endpoint, 0.2)
    with pytest.raises(InputError, match="node 1 waited"):
        wait_for_all("first", "", 1, 2, endpoint, 0.2)
    with pytest.raises(ConfigError, match="host:port"):
        wait_for_all("first", "", 1, 2, "nohost", 0.2)
