"""What the soak says of memory that grows, and of memory that does not."""

import pytest

from benchmarks.server_soak import summary


def test_growth_is_seen_in_the_second_half_alone() -> None:
    flat = [(i / 10, min(400.0, 300 + 10 * i)) for i in range(100)]
    assert summary(flat)["slope_mb_per_minute"] == 0
    assert summary(flat)["parts_mb"][-1] == 400
    growing = [(minutes, mb + 0.7 * minutes) for minutes, mb in flat]
    assert summary(growing)["slope_mb_per_minute"] == pytest.approx(0.7)
