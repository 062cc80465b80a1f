"""The parts that all commands share: how one fails, reports its result and shows progress.

A modality defines its own options, so this file imports no library that reads them.
"""

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from latentspeech.core.errors import CheckpointError, ConfigError, DataError, InputError, PeerError
from latentspeech.core.extras import missing_extra
from latentspeech.core.storage.files import NO_SPACE

EXIT_INCOMPLETE = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_OF_SIGNAL = 128  # and the signal's number
# Ctrl-C, a request to stop and a terminal that was closed; Windows lacks the last.
_STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Stopped(BaseException):  # like KeyboardInterrupt, it is no error of the program
    """A signal came within a block of `stoppable`."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__("interrupted" if number == signal.SIGINT else "terminated")
        self.exit_code = EXIT_OF_SIGNAL + number


def run_command(main: Callable[[], Any]) -> None:
    """Runs `main`; every failure that a user can cause is one line on stderr and exit code 2.

    The line ends with the notes of the exception, which say what was kept.
    """
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except Stopped as error:
        print(_with_notes(str(error), error), file=sys.stderr)
        sys.exit(error.exit_code)
    except (ConfigError, InputError, DataError, CheckpointError, PeerError) as error:
        _fail(_with_notes(str(error), error))
    except ModuleNotFoundError as error:
        advice = missing_extra(error)
        if advice is None:
            raise
        _fail(advice)
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


@contextmanager
def stoppable() -> Iterator[None]:
    """Raises `Stopped` in the block on Ctrl-C, SIGTERM and SIGHUP, so that results can be kept.

    typer would end the process at a KeyboardInterrupt before `run_command` could say what is kept.
    A signal that the process ignores, as Ctrl-C in the background of a shell, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():  # it cannot set handlers
        yield
        return

    def stop(number: int, _: object) -> None:
        raise Stopped(signal.Signals(number))

    previous = {number: signal.getsignal(number) for number in _STOPPING}
    heard = [number for number, handler in previous.items() if handler != signal.SIG_IGN]
    try:
        for number in heard:
            signal.signal(number, stop)
        yield
    finally:
        for number in heard:
            signal.signal(number, previous[number])


def report(values: dict[str, Any], text: str, as_json: bool, quiet: bool) -> None:
    """Prints the result of a command: JSON on stdout, or a line on stderr unless quiet."""
    if as_json:
        print(json.dumps(values))
    elif not quiet:
        print(text, file=sys.stderr)


def show_log(quiet: bool) -> None:
    """Lets the log of a long command go to stderr; with `quiet` only its warnings."""
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")


def train_from_file(
    config_class: type[Any],
    train: Callable[[Any], Any],
    path: Path,
    changes: Sequence[str] | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Trains the run of a YAML file and reports how it ended.

    Args:
        config_class: class of the run's configuration, which has a folder `exp_dir`.
        train: starts or resumes a run and returns a `TrainResult`.
        path: the YAML file.
        changes: settings to change, each as a.b=c.
        quiet: print nothing but warnings and errors.
        as_json: print the result as JSON.

    Raises:
        ConfigError: the file or a change is wrong.
    """
    from latentspeech.core.config import load_config

    show_log(quiet)
    run = load_config(config_class, path, changes or ())
    result = train(run)
    values = {"exp_dir": str(run.exp_dir), **result._asdict()}
    report(values, f"{run.exp_dir}: step {result.step} ({result.reason})", as_json, quiet)


def show_models(
    models: Mapping[str, Path],
    describe: Callable[[Path], dict[str, Any]],
    line: Callable[[dict[str, Any]], str],
    none_installed: str,
    as_json: bool,
) -> None:
    """Prints a row for each model directory: its name, path and size, and what `describe` finds.

    Args:
        models: directories by name.
        describe: the facts of a directory; it raises CheckpointError for another folder.
        line: a row as text.
        none_installed: the text if there are no models.
        as_json: print a list of rows instead.
    """
    rows = []
    for name, path in models.items():
        facts = describe(path)
        size_bytes = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        rows.append({"name": name, "path": str(path), "size_bytes": size_bytes, **facts})
    if as_json:
        print(json.dumps(rows))
        return
    if not rows:
        print(none_installed)
    for row in rows:
        print(f"{line(row)}  {row['size_bytes'] / 1e6:.1f} MB  {row['path']}")


def show_scores(
    values: Callable[[], dict[str, Any]],
    text: Callable[[], str],
    complete: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prints a report of scores on stdout; exit code 1 says that a number is missing in it.

    Args:
        values: makes the content of the JSON object.
        text: makes the text for readers.
        complete: whether every metric has a value, of all items.
        as_json: print the JSON object instead of the text.
        quiet: print no text.
    """
    if as_json:
        print(json.dumps(values()))
    elif not quiet:
        print(text(), end="")
    if not complete:
        sys.exit(EXIT_INCOMPLETE)


def show_metrics(
    found: Iterable[tuple[str, str, str | None]], as_json: bool, name_width: int = 18
) -> None:
    """Prints which metrics this machine can measure.

    Args:
        found: name, description, and what is missing (None: nothing) of each, as they are checked.
        as_json: print one list instead.
        name_width: width of the column of names.
    """
    rows = []
    for name, about, missing in found:
        rows.append({"name": name, "about": about, "missing": missing})
        if not as_json:
            state = "available" if missing is None else " ".join(missing.split())
            print(f"{name:{name_width}} {about}\n{'':{name_width}} {state}")
    if as_json:
        print(json.dumps(rows))


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


def _with_notes(message: str, error: BaseException) -> str:
    return "; ".join([message, *getattr(error, "__notes__", ())])


def _fail(message: str) -> NoReturn:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(EXIT_BAD_INPUT)
