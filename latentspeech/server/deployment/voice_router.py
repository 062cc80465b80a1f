"""Chooses the replica of a request in Ray Serve: one that knows the voice, unless it is busy.

A replica keeps what the model computed for the voices in which it has spoken lately (PrefixStore),
and the voices of the recordings that came with requests. A voice therefore has a home, found by
rendezvous hashing (Thaler and Ravishankar, 1998), so that another number of replicas moves few
voices. A request names its voice in the header `serve-multiplexed-model-id`, since a router does
not see its body. It goes to the home unless that has more open requests than the least busy replica
and a few. Other requests take part in power of two choices, as in Ray's own router: two replicas
are drawn, and Ray takes the one with fewer open requests.
"""

import hashlib
import random

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

# Open requests by which a home may exceed the least busy replica. Computing a voice once more costs
# less than sharing the steps of many rows.
_MOST_MORE = 2
_NUM_DRAWN = 2


class VoiceRouter(RequestRouter):
    """Ray asks the replicas that are chosen here, first list first, how busy they are."""

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Returns the home of the voice and two drawn replicas, or the drawn ones alone."""
        if not candidate_replicas:
            return []
        drawn = random.sample(candidate_replicas, min(_NUM_DRAWN, len(candidate_replicas)))
        voice = pending_request.metadata.multiplexed_model_id if pending_request else ""
        if not voice:
            return [drawn]
        home = home_of(voice, candidate_replicas)
        least = min(map(self._num_open, candidate_replicas))
        return [[home], drawn] if self._num_open(home) <= least + _MOST_MORE else [drawn]

    def _num_open(self, replica: RunningReplica) -> int:
        """The number of its open requests that was last heard of; 0 if that is long ago."""
        return self.replica_queue_len_cache.get(replica.replica_id) or 0


def home_of(voice: str, replicas: list[RunningReplica]) -> RunningReplica:
    """Returns the replica of a voice, which changes only if that replica goes or a better comes."""

    def rank(replica: RunningReplica) -> bytes:
        return hashlib.sha256(f"{voice} {replica.replica_id.unique_id}".encode()).digest()

    return min(replicas, key=rank)
