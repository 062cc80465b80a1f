"""Audio that is written piece by piece: whole at the end, a playable part when stopped."""

import errno
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.audio.sink import Sink
from latentspeech.audio.writer import AudioWriter, check_writable, part_path
from latentspeech.core.errors import ConfigError, InputError

RATE = 24_000
SUFFIXES = [".wav", ".flac", ".ogg", ".opus", ".mp3"]


def tone(seconds: float) -> Tensor:
    time = torch.arange(int(seconds * RATE)) / RATE
    return 0.3 * torch.sin(2 * torch.pi * 220 * time)


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def write_until(path: Path, audio: Tensor, stop_after: int, failure: BaseException) -> None:
    with AudioWriter(path, RATE, keep_part=True) as writer:
        for number, piece in enumerate(audio.split(7001)):
            if number == stop_after:
                raise failure
            writer.write(piece)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pieces_give_the_file_of_a_whole_and_nothing_shows_before_the_end(
    tmp_path: Path, suffix: str
) -> None:
    audio, path = tone(6.0), tmp_path / f"a{suffix}"
    with AudioWriter(path, RATE, "made by a test") as writer:
        for piece in audio.split(7001):
            writer.write(piece)
            assert not path.exists()
        assert writer.duration_s == 6.0
    write_audio(tmp_path / f"b{suffix}", audio, RATE, "made by a test")
    assert names(tmp_path) == [f"a{suffix}", f"b{suffix}"]
    torch.testing.assert_close(load_audio(path), load_audio(tmp_path / f"b{suffix}"))
    if suffix in (".wav", ".flac", ".mp3"):  # Ogg streams have a random serial number
        assert path.read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("failure", [KeyboardInterrupt, InputError])
def test_a_stopped_file_is_kept_as_a_playable_part(
    tmp_path: Path, suffix: str, failure: type[BaseException]
) -> None:
    path = tmp_path / f"book{suffix}"
    path.write_bytes(b"an older book")
    with pytest.raises(failure) as caught:
        write_until(path, tone(6.0), 15, failure())
    part = tmp_path / f"book.part{suffix}"
    assert part_path(path) == part
    assert caught.value.__notes__ == [f"the first {15 * 7001 / RATE:.2f} s are kept in {part}"]
    assert len(load_audio(part)) == 15 * 7001
    assert path.read_bytes() == b"an older book"
    assert names(tmp_path) == sorted([path.name, part.name])


def test_nothing_is_kept_of_nothing_or_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(KeyboardInterrupt):
        write_until(path, tone(1.0), 0, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt), AudioWriter(path, RATE) as writer:  # noqa: PT012
        writer.write(tone(6.0))
        raise KeyboardInterrupt
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_full_disk_keeps_all_that_was_written(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk has room for 40 kB beside the reserve, which is given back to finish the file."""
    room = 40_000

    def write_some(self: Sink, data: memoryview) -> None:
        limit = room if self._reserve is not None else room + (1 << 18)
        if self.tell() + len(data) <= limit:
            self._file.write(data)
            return
        if self._reserve is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._release()
        write_some(self, data)

    monkeypatch.setattr(Sink, "_write_some", write_some)
    path = tmp_path / f"a{suffix}"
    noise = (0.2 * torch.randn(60 * RATE)).clamp(-1, 1)
    with pytest.raises(InputError, match="No space left on device") as caught:
        write_until(path, noise, -1, KeyboardInterrupt())
    (note,) = caught.value.__notes__
    part = part_path(path)
    kept_s = len(load_audio(part)) / RATE
    assert f"the first {kept_s:.2f} s are kept in {part}" == note
    assert kept_s > 1
    assert names(tmp_path) == [part.name]


def test_a_file_that_was_cut_has_no_length_that_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of a file's size is no full disk, so the reserve does not help."""

    def write_some(self: Sink, data: memoryview) -> None:
        if self.tell() + len(data) > 40_000:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        self._file.write(data)

    monkeypatch.setattr(Sink, "_write_some", write_some)
    path = tmp_path / "a.wav"
    with pytest.raises(InputError, match="File too large") as caught:
        write_until(path, tone(60.0), -1, KeyboardInterrupt())
    assert caught.value.__notes__ == [f"as much as fits is kept in {part_path(path)}"]


def test_an_interrupt_while_the_encoder_writes_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoder calls the sink from C, where an exception would be printed and forgotten."""
    original, calls = Sink._write_some, iter(range(1000))

    def write_some(self: Sink, data: memoryview) -> None:
        original(self, data)
        if next(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Sink, "_write_some", write_some)
    path = tmp_path / "a.wav"
    with pytest.raises(KeyboardInterrupt) as caught:
        write_until(path, tone(60.0), -1, KeyboardInterrupt())
    heard = load_audio(part_path(path))
    assert caught.value.__notes__[0].startswith(f"the first {len(heard) / RATE:.2f} s")
    torch.testing.assert_close(heard, tone(60.0)[: len(heard)], rtol=0, atol=1e-4)


def test_m4a_holds_the_audio(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path, audio = tmp_path / "a.m4a", tone(3.0)
    write_audio(path, audio, RATE, "made by a test")
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == "made by a test"
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    heard = torch.cat([torch.from_numpy(frame) for frame in frames])
    assert abs(len(heard) - len(audio)) <= 2048  # the coder's own frames
    assert heard.abs().max() == pytest.approx(0.3, abs=0.03)
    with pytest.raises(KeyboardInterrupt):
        write_until(path, audio, 5, KeyboardInterrupt())
    with av.open(str(part_path(path))) as container:
        assert float(container.duration / av.time_base) == pytest.approx(5 * 7001 / RATE, abs=0.1)


def test_m4a_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r'pip install "latentspeech\[media\]"'):
        check_writable(tmp_path / "a.m4a")


def test_what_can_be_known_is_checked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(tmp_path / "a.wav", RATE, 60)
    with pytest.raises(InputError, match=r"unknown suffix '.aac'.* \.m4a"):
        check_writable(tmp_path / "a.aac")
    with pytest.raises(InputError, match=r"unknown suffix ''"):
        check_writable(tmp_path / "book")
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_writable(tmp_path / "folder.wav")
    with pytest.raises(InputError, match="does not exist; create it"):
        check_writable(tmp_path / "none" / "a.wav")
    for suffix, rate in ((".opus", 22_050), (".mp3", 96_000)):
        with pytest.raises(InputError, match=f"at {rate} Hz: {suffix} takes 8000,.*use .wav"):
            check_writable(tmp_path / f"a{suffix}", rate)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**30, 2**30 - 2**20, 2**20))
    check_writable(tmp_path / "a.wav", RATE, 20)
    with pytest.raises(InputError, match=r"take about 2\.7 MiB, and the disk has 1\.0 MiB free"):
        check_writable(tmp_path / "a.wav", RATE, 60)
    check_writable(tmp_path / "a.mp3", RATE, 60)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="not writable"):
        check_writable(tmp_path / "a.wav")


def test_a_pipe_gets_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_audio(path, tone(0.5), RATE)
    data = os.read(reader, 1 << 17)
    os.close(reader)
    write_audio(tmp_path / "file.wav", tone(0.5), RATE)
    assert data == (tmp_path / "file.wav").read_bytes()
