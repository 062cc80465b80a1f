"""Runs the `latentspeech` command inside the test's process, since starting one costs seconds."""

import contextlib
import io
import subprocess
import sys
from unittest import mock

from latentspeech.cli.main import run


def latentspeech(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Runs the command; returns what a shell would see: exit code, stdout, stderr."""
    out, error = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    command = ["latentspeech", *map(str, arguments)]
    code: object = 0
    with (
        mock.patch.object(sys, "argv", command),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
    ):
        try:
            run()
        except SystemExit as stop:
            code = stop.code or 0
    out.flush()
    error.flush()
    assert isinstance(code, int)
    made, said = (stream.buffer.getvalue() for stream in (out, error))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(command, code, made, said)
