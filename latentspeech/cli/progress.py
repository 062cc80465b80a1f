"""Progress on stderr for work whose length is known only when it ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def stream_progress(title: str, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Yields a function that is told of every finished piece in seconds of audio."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description} {task.completed:.1f} s of audio"),
        TimeElapsedColumn(),
    )
    disabled = quiet or not console.is_terminal
    with Progress(*columns, console=console, disable=disabled, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda seconds: progress.advance(task, seconds)


@contextmanager
def counted_progress(title: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yields a function that is told (done, all)."""
    console = Console(stderr=True)
    disabled = quiet or not console.is_terminal
    with Progress(console=console, disable=disabled, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, count: progress.update(task, completed=done, total=count)
