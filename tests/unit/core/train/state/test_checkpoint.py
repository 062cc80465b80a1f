import logging
import shutil

import pytest
import torch

from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.train.state import checkpoint
from latentspeech.core.train.state.checkpoint import (
    RunState,
    load_part,
    newest_checkpoint,
    save_checkpoint,
)

SHARED = torch.arange(6.0).reshape(2, 3)
TENSORS = {
    "model": {"a": SHARED, "tied": SHARED, "turned": SHARED.t(), "n": torch.tensor(3)},
    "ema": {"a": SHARED},
    "optimizer": {"turn/a/step": torch.tensor(1.0)},
}


def save(exp_dir, step, keep=3):
    return save_checkpoint(exp_dir / "checkpoints", RunState(step=step), TENSORS, keep)


def test_round_trip_with_tied_and_transposed_tensors(tmp_path):
    path = save(tmp_path, 5)
    assert sorted(item.name for item in path.iterdir()) == [
        "ema.safetensors",
        "model.safetensors",
        "optimizer.safetensors",
        "state.json",
    ]
    found = newest_checkpoint(tmp_path)
    assert found.path == path
    assert found.state.step == 5
    loaded = load_part(path, "model")
    assert all(torch.equal(loaded[name], value) for name, value in TENSORS["model"].items())


def test_keeps_the_last_ones(tmp_path):
    for step in (1, 2, 3, 10):
        save(tmp_path, step, keep=2)
    names = sorted(item.name for item in (tmp_path / "checkpoints").iterdir())
    assert names == ["step_00000003", "step_00000010"]


def flip_byte(path):
    content = bytearray((path / "ema.safetensors").read_bytes())
    content[-1] ^= 1
    (path / "ema.safetensors").write_bytes(bytes(content))


DAMAGES = {
    "truncated": lambda path: (path / "model.safetensors").write_bytes(b"12"),
    "flipped": flip_byte,
    "missing": lambda path: (path / "optimizer.safetensors").unlink(),
    "no state": lambda path: (path / "state.json").unlink(),
    "half state": lambda path: (path / "state.json").write_text('{"step": 2, '),
    "wrong state": lambda path: (path / "state.json").write_text('{"stop": 2}'),
    "empty": lambda path: [item.unlink() for item in path.iterdir()],
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_newest_falls_back_with_a_warning(tmp_path, caplog, kind):
    save(tmp_path, 1)
    DAMAGES[kind](save(tmp_path, 2))
    with caplog.at_level(logging.WARNING):
        assert newest_checkpoint(tmp_path).state.step == 1
    assert "step_00000002 is damaged" in caplog.text


def test_all_damaged_is_an_error_and_none_is_none(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    for step in (1, 2):
        flip_byte(save(tmp_path, step))
    with pytest.raises(CheckpointError, match=r"all 2 checkpoints .* are damaged"):
        newest_checkpoint(tmp_path)


def test_damaged_newer_one_does_not_push_out_the_good_ones(tmp_path):
    save(tmp_path, 1)
    flip_byte(save(tmp_path, 9))
    save(tmp_path, 2, keep=1)
    assert newest_checkpoint(tmp_path).state.step == 2
    save(tmp_path, 9, keep=1)  # the damaged one is replaced when its step comes again
    assert newest_checkpoint(tmp_path).state.step == 9


def test_full_disk_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    save(tmp_path, 1, keep=1)

    def full(tensors, file):
        file.write_bytes(b"part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(InputError, match="no space left on the disk"):
        save(tmp_path, 2, keep=1)
    assert [item.name for item in (tmp_path / "checkpoints").iterdir()] == ["step_00000001"]
    assert newest_checkpoint(tmp_path).state.step == 1


def test_what_reads_otherwise_than_it_was_written_is_not_kept(tmp_path, monkeypatch):
    save(tmp_path, 1, keep=1)
    write = checkpoint.save_file

    def flawed(tensors, file):
        name = next(name for name, value in tensors.items() if value.is_floating_point())
        write({**tensors, name: tensors[name] + 1}, file)

    monkeypatch.setattr(checkpoint, "save_file", flawed)
    with pytest.raises(CheckpointError, match="does not read as it was written"):
        save(tmp_path, 2, keep=1)
    assert [item.name for item in (tmp_path / "checkpoints").iterdir()] == ["step_00000001"]


def test_missing_part_is_named(tmp_path):
    path = save(tmp_path, 1)
    shutil.rmtree(path)
    with pytest.raises(CheckpointError, match=r"model.safetensors does not exist"):
        load_part(path, "model")
