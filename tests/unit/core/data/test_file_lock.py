import subprocess
import sys

import pytest

from latentspeech.core.data.file_lock import exclusive
from latentspeech.core.errors import InputError

HOLDER = """
import sys, time
from pathlib import Path
from latentspeech.core.data.file_lock import exclusive
with exclusive(Path(sys.argv[1]), "do that"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_holder_that_is_killed_frees_the_lock(tmp_path):
    path = tmp_path / "a.lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    entered = False
    with exclusive(path, "do that"):
        entered = True
    assert entered


def test_another_process_is_kept_out_until_the_block_ends(tmp_path):
    path = tmp_path / "a.lock"
    code = "import sys, filelock; filelock.FileLock(sys.argv[1]).acquire(blocking=False)"
    command = [sys.executable, "-c", code, str(path)]
    with exclusive(path, "do that"):
        kept_out = subprocess.run(command, capture_output=True, text=True)
    assert "Timeout" in kept_out.stderr
    assert subprocess.run(command).returncode == 0


def test_a_place_where_nothing_can_be_written_is_an_error_with_its_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.lock"
    found = pytest.raises(InputError, match=r"cannot write .*a\.lock \(.*\); copy it elsewhere")
    with found, exclusive(path, "copy it elsewhere"):
        pass
