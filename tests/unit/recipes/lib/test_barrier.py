"""Nodes meet at a named place."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from latentspeech.core.errors import ConfigError, InputError
from recipes.lib.barrier import agree


@pytest.fixture
def endpoint() -> str:
    """A host:port whose next port is free."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1] - 1}"


def test_all_nodes_hear_node_0_at_each_place_in_turn(endpoint: str) -> None:
    """Others may come first, and be at the next place while the store of the last one closes."""

    def visit(rank: int) -> list[str]:
        places = [("first", "run"), ("second", "done")]
        return [agree(at, word if rank == 0 else "", rank, 3, endpoint, 30) for at, word in places]

    with ThreadPoolExecutor(3) as pool:
        heard = list(pool.map(visit, (2, 1, 0)))
    assert heard == [["run", "done"]] * 3


def test_a_node_that_does_not_come_is_told(endpoint: str) -> None:
    with pytest.raises(InputError, match="start the same command on every node"):
        agree("first", "run", 0, 2, endpoint, 0.2)
    with pytest.raises(InputError, match="node 1 waited"):
        agree("first", "", 1, 2, endpoint, 0.2)
    with pytest.raises(ConfigError, match="host:port"):
        agree("first", "", 1, 2, "nohost", 0.2)
