"""How much one client may ask for: requests a minute, and speeches at a time."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from latentspeech.server.config import Limits

_MINUTE_S = 60.0
_MOST_CLIENTS = 10_000  # whose rates are remembered


class TooManyError(Exception):
    """A client asks for more than its share."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ClientLimits:
    """Counts the speeches and the requests of each client."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._num_open: dict[str, int] = {}
        self._allowance: dict[str, tuple[float, float]] = {}  # requests left, and when

    def check_rate(self, client: str) -> None:
        """Counts a request; TooManyError if the client has none left in this minute."""
        rate = self._limits.per_minute
        if rate is None:
            return
        now = time.monotonic()
        left, before = self._allowance.pop(client, (float(rate), now))
        left = min(float(rate), left + (now - before) * rate / _MINUTE_S)
        self._allowance[client] = (left - 1 if left >= 1 else left), now
        if len(self._allowance) > _MOST_CLIENTS:
            del self._allowance[next(iter(self._allowance))]
        if left < 1:
            wait_s = math.ceil((1 - left) * _MINUTE_S / rate)
            raise TooManyError(
                f"more than {rate} requests a minute; try again in {wait_s} s", wait_s
            )

    @contextmanager
    def speech(self, client: str) -> Iterator[None]:
        """Counts a speech while the block runs; TooManyError if the client has too many."""
        count, most = self._num_open.get(client, 0), self._limits.max_per_client
        if count >= most:
            raise TooManyError(
                f"{count} speeches of yours are being made, which is the limit; wait for one", 1
            )
        self._num_open[client] = count + 1
        try:
            yield
        finally:
            self._num_open[client] -= 1
            if not self._num_open[client]:
                del self._num_open[client]
