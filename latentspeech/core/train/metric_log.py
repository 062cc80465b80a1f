"""Metrics: exact means between two log lines, as JSONL and, if installed, in TensorBoard.

A line is {"step": ..., "seconds": ..., "group/quantity_unit": ...}; a value that is not finite is
null. On resume the lines past the resumed step are dropped, so each step has one line.
"""

import importlib.util
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from latentspeech.core.storage.files import atomic_path

FILE_NAME = "metrics.jsonl"


class Mean(NamedTuple):
    """A scalar that is the mean over `num_elements` elements."""

    value: Tensor
    num_elements: Tensor | int


class MetricMean:
    """Means of named scalars; tensors are summed where they are, without waiting for the device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor | int] = {}

    def add(self, metrics: Mapping[str, float | Tensor | Mean]) -> None:
        """Adds metrics; the weight of a `Mean` is its number of elements, of any other value 1."""
        for name, metric in metrics.items():
            value, count = metric if isinstance(metric, Mean) else (metric, 1)
            scalar = torch.as_tensor(value).detach().double() * count
            old = self._sums.get(name)
            self._sums[name] = scalar if old is None else old + scalar
            self._counts[name] = self._counts.get(name, 0) + count

    def take(self) -> dict[str, tuple[float, int]]:
        """Returns the sum and count of every name so far, and resets them."""
        taken = {
            name: (float(total), int(self._counts[name])) for name, total in self._sums.items()
        }
        self._sums, self._counts = {}, {}
        return taken


def merge_means(parts: list[dict[str, tuple[float, int]]]) -> dict[str, float]:
    """The means from several processes' sums and counts; a metric without elements is left out."""
    totals: dict[str, tuple[float, int]] = {}
    for part in parts:
        for name, (value, count) in part.items():
            old_value, old_count = totals.get(name, (0.0, 0))
            totals[name] = (old_value + value, old_count + count)
    return {name: value / count for name, (value, count) in totals.items() if count}


class MetricLog:
    """The metric files of one run; only the main process has it enabled."""

    def __init__(self, exp_dir: Path, step: int, enabled: bool = True) -> None:
        """Args: `step` is the step at which the run resumes; later lines are dropped."""
        self._file: Any = None
        self._board: Any = None
        if not enabled:
            return
        path = exp_dir / FILE_NAME
        drop_lines_after(path, step)
        self._file = path.open("a", encoding="utf-8")
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(exp_dir / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, seconds: float, metrics: Mapping[str, float]) -> None:
        """Adds one line."""
        if self._file is None:
            return
        values = {name: _json_number(value) for name, value in sorted(metrics.items())}
        line = {"step": step, "seconds": round(seconds, 3), **values}
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in metrics.items():
                self._board.add_scalar(name, value, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()


def drop_lines_after(path: Path, step: int) -> None:
    """Removes lines past `step`, and a last line that a killed process left incomplete."""
    if not path.is_file():
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as kept:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                keep = int(json.loads(line)["step"]) <= step
            except (ValueError, KeyError, TypeError):
                keep = False
            if keep:
                kept.write(line + "\n")


def _json_number(value: float) -> float | None:
    # Six digits are more than a plot can show, and they keep the file small.
    return float(f"{value:.6g}") if math.isfinite(value) else None
