"""Medians of repeated calls, interleaved so that a busy machine slows all contestants equally."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def median_seconds(
    contestants: Mapping[Name, Callable[[], object]], repeats: int
) -> dict[Name, float]:
    """Calls every contestant once to warm up, then all `repeats` times; returns their medians."""
    for call in contestants.values():
        call()
    seconds: dict[Name, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, call in contestants.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
