"""A barrier that broadcasts one string from node 0.

Every node of a run calls it under the same name. Node 0 brings a message, the others wait for it,
and all return it. A stage that several nodes share begins with a barrier: no node starts before
node 0 has finished the stages before, and all nodes agree on whether the stage runs at all.

torchrun's rendezvous cannot do this. It lives as long as one torchrun command, while the barrier
stands between shell scripts: before any torchrun has started, and around work that needs none, such
as the encoding of a corpus. It also tells the nodes nothing but their ranks. Slurm has a barrier of
its own, but machines without Slurm lack it.

Node 0 keeps the message in a torch key-value store (TCPStore) at the port above torchrun's. The
store lives until every node has read the message.
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

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError, InputError

logger = logging.getLogger(__name__)

DEFAULT_WAIT_S = 7 * 24 * 3600.0
POLL_S = 0.5
_CONNECT = timedelta(seconds=30)


def wait_for_all(
    name: str, message: str, rank: int, num_nodes: int, endpoint: str, wait_s: float
) -> str:
    """Waits until all nodes are at the barrier `name`; returns node 0's message, on every node.

    Args:
        name: name of the barrier; the same on all nodes, another for each barrier of a run.
        message: what node 0 broadcasts; the messages of other nodes are ignored.
        rank: rank of this node, 0 to num_nodes - 1.
        num_nodes: number of nodes of the run.
        endpoint: host:port of node 0, as torchrun has it; the port above is used.
        wait_s: seconds to wait for the others.

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
                _broadcast(host, int(port) + 1, name, message, num_nodes, deadline)
                return message
            return _receive(host, int(port) + 1, name, deadline)
        except (DistNetworkError, DistStoreError, TimeoutError) as error:
            # A node may come before node 0 has opened its store, or while an earlier one closes.
            if time.monotonic() > deadline:
                raise InputError(
                    f"node {rank} waited {wait_s:g} s at {name} for {num_nodes} nodes at "
                    f"{endpoint} ({' '.join(str(error).split())[:200]}); start the same command "
                    "on every node, each with its --node_rank, and an endpoint that all can reach"
                ) from None
            time.sleep(POLL_S)


def _broadcast(
    host: str, port: int, name: str, message: str, num_nodes: int, deadline: float
) -> None:
    """Node 0: the store ends with this process, so it stays until all others have read."""
    store = TCPStore(host, port, is_master=True, wait_for_workers=False, timeout=_left(deadline))
    store.set(f"{name}/message", message)
    while store.add(f"{name}/read", 0) < num_nodes - 1:
        if time.monotonic() > deadline:
            raise TimeoutError("not all nodes came")
        time.sleep(POLL_S)


def _receive(host: str, port: int, name: str, deadline: float) -> str:
    store = TCPStore(host, port, is_master=False, timeout=min(_left(deadline), _CONNECT))
    store.set_timeout(_left(deadline))
    message: bytes = store.get(f"{name}/message")
    store.add(f"{name}/read", 1)
    return message.decode()


def _left(deadline: float) -> timedelta:
    return timedelta(seconds=max(1.0, deadline - time.monotonic()))


def main() -> None:
    """Command line; prints node 0's message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="barrier; the same on all nodes")
    parser.add_argument("--message", default="", help="what node 0 broadcasts")
    parser.add_argument("--node_rank", type=int, required=True)
    parser.add_argument("--nnodes", type=int, required=True)
    parser.add_argument("--endpoint", required=True, help="host:port; the port above is used")
    parser.add_argument("--wait_s", type=float, default=DEFAULT_WAIT_S)
    a = parser.parse_args()
    print(wait_for_all(a.name, a.message, a.node_rank, a.nnodes, a.endpoint, a.wait_s))


if __name__ == "__main__":
    run_recipe(main)
