import errno
import json
import subprocess
import sys

import pytest

from latentspeech.core.command import report, run_command, show_models, show_scores
from latentspeech.core.errors import CheckpointError, ConfigError, DataError, InputError, PeerError


def outcome(failure):
    def main():
        raise failure

    with pytest.raises(SystemExit) as ended:
        run_command(main)
    return ended.value.code


@pytest.mark.parametrize("kind", [CheckpointError, ConfigError, DataError, InputError, PeerError])
def test_a_users_error_is_one_line_and_exit_code_2(kind, capsys):
    assert outcome(kind("found this;\n  do that")) == 2
    assert capsys.readouterr().err == "error: found this; do that\n"


@pytest.mark.parametrize(
    ("failure", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out.wav"),
            2,
            "error: no space left on the disk (out.wav); free some and repeat\n",
        ),
        (
            OSError(errno.EFBIG, "File too large"),
            2,
            "error: no space left on the disk (output); free some and repeat\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "in.wav"),
            2,
            "error: in.wav: Permission denied; check path and permissions\n",
        ),
    ],
)
def test_failures_of_the_machine_are_one_line_too(failure, code, line, capsys):
    assert outcome(failure) == code
    assert capsys.readouterr().err == line


def test_our_own_bugs_keep_their_traceback():
    def main():
        raise AssertionError("a bug")

    with pytest.raises(AssertionError, match="a bug"):
        run_command(main)


def test_a_result_is_json_on_stdout_or_a_line_on_stderr(capsys):
    report({"seconds": 1.5}, "done", as_json=True, quiet=False)
    shown = capsys.readouterr()
    assert (json.loads(shown.out), shown.err) == ({"seconds": 1.5}, "")
    report({}, "done", as_json=False, quiet=False)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "done\n")
    report({}, "done", as_json=False, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_an_incomplete_report_is_printed_and_ends_with_1(capsys):
    show_scores(lambda: {"a": 1}, lambda: "a 1\n", True, as_json=False, quiet=False)
    assert capsys.readouterr().out == "a 1\n"
    with pytest.raises(SystemExit) as ended:
        show_scores(lambda: {"a": 1}, lambda: "a 1\n", False, as_json=True, quiet=True)
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_models_are_rows_of_one_shape(tmp_path, capsys):
    (tmp_path / "weights").write_bytes(bytes(1_500_000))
    arguments = ({"tiny": tmp_path}, lambda path: {"kind": "k"}, lambda row: f"{row['name']} k")
    show_models(*arguments, "none", as_json=True)
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {"name": "tiny", "path": str(tmp_path), "size_bytes": 1_500_000, "kind": "k"}
    show_models(*arguments, "none", as_json=False)
    assert capsys.readouterr().out == f"tiny k  1.5 MB  {tmp_path}\n"
    show_models({}, *arguments[1:], "none", as_json=False)
    assert capsys.readouterr().out == "none\n"


def test_a_reader_that_has_gone_ends_the_program_quietly():
    code = (
        "from latentspeech.core.command import run_recipe\n"
        "run_recipe(lambda: [print('y' * 70000, flush=True) for _ in range(9)])\n"
    )
    command = f'{sys.executable} -c "{code}" | head -c 1; echo ${{PIPESTATUS[0]}}'
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    assert (result.stdout, result.stderr) == ("y0\n", "")
