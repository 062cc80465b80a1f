"""The nodes of a run meet at a named place: node 0 says a word there, and all hear it.

Stages that several nodes share begin with it, so that none starts before node 0 has done what comes
before, and all agree on whether the stage runs at all. It is a key-value store on the rendezvous
host, one port above torchrun's, which lives from the first node's coming to the last one's leaving.
"""

import argparse
import logging
import time
from datetime import timedelta

from torch.distributed import (  # type: ignore[attr-defined]
    DistNetworkError,
    DistStoreError,
    TCPStore,
)

from latentspeech.core.errors import ConfigError, InputError
from recipes.one_line_errors import run_recipe

logger = logging.getLogger(__name__)

DEFAULT_WAIT_S = 7 * 24 * 3600.0
POLL_S = 0.5
_CONNECT = timedelta(seconds=30)


def agree(name: str, word: str, rank: int, num_nodes: int, endpoint: str, wait_s: float) -> str:
    """Waits for all nodes at `name`; returns node 0's word, on every node.

    Raises:
        ConfigError: the endpoint is not host:port.
        InputError: a node did not come in time.
    """
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"--rdzv_endpoint is {endpoint!r}; expected host:port of node 0")
    logger.info("node %d of %d waits for the others at %s, %s", rank, num_nodes, endpoint, name)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            if rank == 0:
                _say(host, int(port) + 1, name, word, num_nodes, deadline)
                return word
            return _hear(host, int(port) + 1, name, deadline)
        except (DistNetworkError, DistStoreError, TimeoutError) as error:
            # A node may come before node 0 has opened its store, or while an earlier one closes.
            if time.monotonic() > deadline:
                raise InputError(
                    f"node {rank} waited {wait_s:g} s at {name} for {num_nodes} nodes at "
                    f"{endpoint} ({' '.join(str(error).split())[:200]}); start the same command "
                    "on every node, each with its --node_rank, and an endpoint that all can reach"
                ) from None
            time.sleep(POLL_S)


def _say(host: str, port: int, name: str, word: str, num_nodes: int, deadline: float) -> None:
    """Node 0: the store goes with this process, so it leaves last."""
    store = TCPStore(host, port, is_master=True, wait_for_workers=False, timeout=_left(deadline))
    store.set(f"{name}/word", word)
    while store.add(f"{name}/heard", 0) < num_nodes - 1:
        if time.monotonic() > deadline:
            raise TimeoutError("not all nodes came")
        time.sleep(POLL_S)


def _hear(host: str, port: int, name: str, deadline: float) -> str:
    store = TCPStore(host, port, is_master=False, timeout=min(_left(deadline), _CONNECT))
    store.set_timeout(_left(deadline))
    said: bytes = store.get(f"{name}/word")
    store.add(f"{name}/heard", 1)
    return said.decode()


def _left(deadline: float) -> timedelta:
    return timedelta(seconds=max(1.0, deadline - time.monotonic()))


def main() -> None:
    """Command line; prints node 0's word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="where to meet; the same on all nodes")
    parser.add_argument("--word", default="go", help="what node 0 says")
    parser.add_argument("--node_rank", type=int, required=True)
    parser.add_argument("--nnodes", type=int, required=True)
    parser.add_argument("--endpoint", required=True, help="host:port; the port above is used")
    parser.add_argument("--wait_s", type=float, default=DEFAULT_WAIT_S)
    a = parser.parse_args()
    print(agree(a.name, a.word, a.node_rank, a.nnodes, a.endpoint, a.wait_s))


if __name__ == "__main__":
    run_recipe(main)
