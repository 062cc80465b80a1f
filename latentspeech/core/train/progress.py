"""Shows the progress of a training: a bar with ETA on a terminal, plain log lines elsewhere."""

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)


class TrainProgress:
    """Shows the steps done; only the main process has it enabled."""

    def __init__(self, step: int, max_steps: int, enabled: bool = True) -> None:
        self._enabled = enabled
        self._max_steps = max_steps
        self._bar: Progress | None = None
        console = Console(stderr=True)
        if enabled and console.is_terminal:
            self._bar = Progress(
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("ETA"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=console,
            )
            self._row = self._bar.add_task("training", total=max_steps, completed=step, note="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, step: int) -> None:
        """Moves the bar."""
        if self._bar is not None:
            self._bar.update(self._row, completed=step)

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Shows the metrics of a log line."""
        if not self._enabled:
            return
        if self._bar is not None:
            shown = [
                item for item in metrics.items() if not item[0].startswith(("optim/", "time/"))
            ]
            note = " ".join(f"{name.partition('/')[2]} {value:.4g}" for name, value in shown[:3])
            self._bar.update(self._row, note=note)
            return
        text = " ".join(f"{name} {value:.4g}" for name, value in sorted(metrics.items()))
        logger.info("step %d of %d: %s", step, self._max_steps, text)
