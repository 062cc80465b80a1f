"""A log line every so often on how far long work has come."""

import logging
import time

logger = logging.getLogger(__name__)

REPORT_EVERY_S = 20.0


class ProgressLog:
    """Call it with the number of items that are done and the number of all."""

    def __init__(self, name: str, items: str = "utterances") -> None:
        self._name = name
        self._items = items
        self._last = time.monotonic()
        self._told = -1

    def __call__(self, done: int, total: int) -> None:
        """Logs if the last line is REPORT_EVERY_S old, and at the end once."""
        due = done == total or time.monotonic() - self._last > REPORT_EVERY_S
        if due and done != self._told:
            self._last, self._told = time.monotonic(), done
            logger.info("%s: %d of %d %s", self._name, done, total, self._items)
