"""The parts that all commands share: how one fails, reports its result and shows progress.

A modality defines its own options, so this file imports no library that reads them.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from latentspeech.core.errors import CheckpointError, ConfigError, DataError, InputError, PeerError
from latentspeech.core.files import NO_SPACE

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
        # The reader has gone, as `| head` does when it has enough. Python must not flush to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno in NO_SPACE:
            _fail(f"no space left on the disk ({error.filename or 'output'}); free some and repeat")
        _fail(f"{error.filename or 'file'}: {error.strerror or error}; check path and permissions")


def run_recipe(main: Callable[[], Any]) -> None:
    """Does what `run_command` does for the program of a stage; its log goes to stderr, indented."""
    logging.basicConfig(level=logging.WARNING, format="   %(message)s")
    for name in ("latentspeech", "latentvision", "recipes", "egs", "__main__"):
        logging.getLogger(name).setLevel(logging.INFO)
    run_command(main)


def report(values: dict[str, Any], text: str, as_json: bool, quiet: bool) -> None:
    """Prints the result of a command: JSON on stdout, or a line on stderr unless quiet."""
    if as_json:
        print(json.dumps(values))
    elif not quiet:
        print(text, file=sys.stderr)


@contextmanager
def open_ended_progress(title: str, unit: str, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Shows progress on stderr for work whose length is not known before it ends.

    Yields a function to call with the size of each finished piece, in `unit`.
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
    """Shows progress on stderr; yields a function to call with (number done, number of all)."""
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
