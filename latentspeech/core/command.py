"""What every command line here has in common: how it fails, reports its result and shows progress.

Only a modality knows its options; this file knows no library that reads them.
"""

import errno
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from latentspeech.core.errors import CheckpointError, ConfigError, DataError, InputError, PeerError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def run_command(main: Callable[[], Any]) -> None:
    """Runs `main`; every failure that a user can cause is one line on stderr and exit code 2."""
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except (ConfigError, InputError, DataError, CheckpointError, PeerError) as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader has gone, which is how `| head` ends a stream; nothing is left to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _fail(f"no space left on the disk ({error.filename or 'output'}); free some and repeat")
        _fail(f"{error.filename or 'file'}: {error.strerror or error}; check path and permissions")


def run_recipe(main: Callable[[], Any]) -> None:
    """As `run_command` for the program of a stage, whose log lines go to stderr, indented."""
    logging.basicConfig(level=logging.WARNING, format="   %(message)s")
    for name in ("latentspeech", "latentvision", "recipes", "egs", "__main__"):
        logging.getLogger(name).setLevel(logging.INFO)
    run_command(main)


def report(values: dict[str, Any], text: str, as_json: bool, quiet: bool) -> None:
    """The result of a command: JSON on stdout, or a line on stderr unless quiet."""
    if as_json:
        print(json.dumps(values))
    elif not quiet:
        print(text, file=sys.stderr)


@contextmanager
def open_ended_progress(title: str, unit: str, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Progress on stderr of work whose length is known only when it ends.

    Yields a function that is told of every finished piece, in `unit`.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn(f"{{task.description}} {{task.completed:.1f}} {unit}"),
        TimeElapsedColumn(),
    )
    disabled = quiet or not console.is_terminal
    with Progress(*columns, console=console, disable=disabled, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda amount: progress.advance(task, amount)


@contextmanager
def counted_progress(title: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Progress on stderr; yields a function that is told (done, all)."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    disabled = quiet or not console.is_terminal
    with Progress(console=console, disable=disabled, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, count: progress.update(task, completed=done, total=count)


def _fail(message: str) -> NoReturn:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(EXIT_BAD_INPUT)
