import errno
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from latentspeech.core.errors import InputError
from latentspeech.core.storage.files import (
    atomic_directory,
    atomic_path,
    remove_directory,
    remove_leftovers,
    write_json,
)


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_file_appears_only_at_the_end_and_keeps_its_suffix(tmp_path: Path):
    target = tmp_path / "a.jsonl.gz"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert temporary.name.endswith(".jsonl.gz")
        assert temporary.parent == tmp_path
        assert not target.exists()
    assert target.read_text() == "new"
    assert names(tmp_path) == ["a.jsonl.gz"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(failure), atomic_path(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise failure
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"nowhere does not exist; create it"):
        write_json(tmp_path / "nowhere" / "a.json", {})
    with (
        pytest.raises(InputError, match="nowhere does not exist"),
        atomic_directory(tmp_path / "nowhere" / "d"),
    ):
        pass


def test_wrong_kind_of_target_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a folder"), atomic_path(tmp_path):
        pass
    with pytest.raises(InputError, match="is a file"), atomic_directory(tmp_path / "file"):
        pass


def test_device_file_is_not_replaced():
    with atomic_path(Path("/dev/null")) as path:
        path.write_text("gone")
    assert not Path("/dev/null").is_file()


def test_symlink_keeps_pointing_at_its_file(tmp_path: Path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_path(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path):
    with pytest.raises(InputError, match="no space left"), atomic_path(tmp_path / "a"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(InputError, match="no space left"), atomic_directory(tmp_path / "d"):
        raise RuntimeError("I/O error: No space left on device (os error 28)")
    assert names(tmp_path) == []


def test_full_disk_while_a_folder_is_copied_is_the_same_line(tmp_path: Path):
    """shutil collects the errors of all files into one of its own, without their number."""
    reason = str(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(InputError, match="no space left"), atomic_directory(tmp_path / "model"):
        raise shutil.Error([("from/a", "to/a", reason)])
    with pytest.raises(shutil.Error), atomic_directory(tmp_path / "model"):
        raise shutil.Error([("from/a", "to/a", "[Errno 2] No such file")])
    assert list(tmp_path.iterdir()) == []


def test_directory_replaces_a_complete_one(tmp_path: Path):
    target = tmp_path / "model"
    for content in ("one", "two"):
        with atomic_directory(target) as temporary:
            (temporary / "sub").mkdir()
            (temporary / "sub" / content).write_text(content)
    assert names(target / "sub") == ["two"]
    with pytest.raises(KeyboardInterrupt), atomic_directory(target) as temporary:  # noqa: PT012
        (temporary / "half").write_text("x")
        raise KeyboardInterrupt
    assert names(target / "sub") == ["two"]
    assert names(tmp_path) == ["model"]


def test_remove_directory_and_leftovers(tmp_path: Path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("x")
    (tmp_path / ".tmp-dead").mkdir()
    (tmp_path / ".tmp-file").write_text("x")
    remove_directory(tmp_path / "d")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_json_refuses_nan(tmp_path: Path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert names(tmp_path) == []


def test_whoever_wrote_it_others_may_read_it(tmp_path: Path):
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "model.safetensors") as temporary:
        save_file({"a": torch.zeros(2)}, temporary)
    modes = {(tmp_path / name).stat().st_mode for name in ("plain", "model.safetensors")}
    assert len(modes) == 1
