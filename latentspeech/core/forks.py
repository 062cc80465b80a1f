"""Lets a loaded model compute in a forked process, which `multiprocessing` starts on Linux.

A fork copies the memory of a process but only one of its threads. A library that shares its work
with threads from before the fork then waits for them for ever. A forked child therefore computes
with one thread of torch, as torch's own loader processes do.
"""

import functools
import os
from collections.abc import Callable


def call_in_forks(action: Callable[[], None]) -> None:
    """Has every process that is forked from now on call `action` at its start."""
    if hasattr(os, "register_at_fork"):  # Windows has no forks
        os.register_at_fork(after_in_child=action)


@functools.cache
def prepare_for_forks() -> None:
    """Makes children that are forked from now on use one thread of torch."""
    call_in_forks(_use_one_thread)


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)
