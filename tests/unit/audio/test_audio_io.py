import logging
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from latentspeech.audio.io import (
    audio_duration_s,
    check_not_silent,
    load_audio,
    resample,
    write_audio,
)
from latentspeech.audio.pcm import wav_stream_header
from latentspeech.audio.sink import Sink
from latentspeech.core.errors import InputError

SUFFIXES = [".wav", ".flac", ".ogg", ".mp3"]


def voice(sample_rate: int, seconds: float = 1.0) -> np.ndarray:
    """Speech-like: a gliding harmonic series below 3.4 kHz, in syllables."""
    time = np.arange(int(sample_rate * seconds)) / sample_rate
    phase = 2 * np.pi * 120 * time + 20 * (1 - np.cos(2 * np.pi * time))
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 25))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)
    return (0.2 * harmonics * syllables).astype(np.float32)


def snr_db(reference: np.ndarray, estimate: Tensor) -> float:
    target = torch.from_numpy(reference)
    return 10 * math.log10(target.square().sum() / (target - estimate).square().sum())


def save(path: Path, audio: np.ndarray, sample_rate: int = 24000, **options: str) -> Path:
    soundfile.write(path, audio, sample_rate, **options)
    return path


def message(path: Path, **options: float) -> str:
    with pytest.raises(InputError) as caught:
        load_audio(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    assert "expected" in text
    return text


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
def test_any_format_rate_and_channels_load_as_mono_24k(
    tmp_path: Path, suffix: str, channels: int, sample_rate: int
) -> None:
    source = voice(sample_rate)
    # Two channels whose average is the source.
    data = source if channels == 1 else np.stack([1.5 * source, 0.5 * source], axis=1)
    path = save(tmp_path / f"a{suffix}", data, sample_rate)
    audio = load_audio(path)
    assert audio.dtype == torch.float32
    assert audio.shape == (24000,)
    # Lossy coders and the 3.4 kHz harmonics at 8 kHz cost accuracy; a wrong rate would give 0 dB.
    floor_db = 30 if suffix in (".wav", ".flac") else 12
    inner = slice(1200, -1200)
    assert snr_db(voice(24000)[inner], audio[inner]) > floor_db
    assert audio_duration_s(path) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".opus"])
def test_write_then_load(tmp_path: Path, suffix: str) -> None:
    source = torch.from_numpy(voice(24000))
    path = tmp_path / f"a{suffix}"
    write_audio(path, source, 24000)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    audio = load_audio(path)
    assert audio.shape == source.shape
    if suffix in (".wav", ".flac"):
        assert (audio - source).abs().max() < 1e-4
    else:
        assert snr_db(source.numpy(), audio) > 10


def test_long_vorbis_does_not_overflow_the_encoder(tmp_path: Path) -> None:
    path = tmp_path / "long.ogg"
    write_audio(path, 0.1 * torch.randn(60 * 24000), 24000)
    assert audio_duration_s(path) == 60.0


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    save(tmp_path / "a.flac", voice(24000))
    path = (tmp_path / "a.flac").rename(tmp_path / "a.wav")
    assert load_audio(path).shape == (24000,)


def test_resample_lengths_and_rates_without_common_factor() -> None:
    assert resample(torch.zeros(44100), 44100, 24000).shape == (24000,)
    assert resample(torch.zeros(2, 100), 24000, 24000).shape == (2, 100)
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(44101) / 44101)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(24000) / 24000)
    out = resample(tone, 44101, 24000)
    assert abs(out.numel() - 24000) <= 1
    assert (out[500:23500] - expected[500:23500]).abs().max() < 1e-2


def test_resample_removes_what_the_new_rate_cannot_hold() -> None:
    tone = torch.sin(2 * torch.pi * 15000 * torch.arange(48000).double() / 48000).float()
    assert resample(tone, 48000, 24000)[500:-500].abs().max() < 1e-5


def test_missing_folder_empty_and_no_audio(tmp_path: Path) -> None:
    assert "not found" in message(tmp_path / "none.wav")
    assert "folder" in message(tmp_path)
    empty = tmp_path / "empty.wav"
    empty.touch()
    assert "empty (0 bytes)" in message(empty)
    text = tmp_path / "text.wav"
    text.write_text("this is no recording\n" * 100)
    assert "no audio" in message(text)
    header_only = tmp_path / "header.wav"
    header_only.write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    assert "damaged" in message(header_only)


def test_pipe_is_refused_instead_of_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert "pipe" in message(tmp_path / "pipe.wav")


def test_mp3_whose_length_can_only_be_guessed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    # Half noise, half silence at a varying bit rate, and the Xing frame with the length spoilt.
    write_audio(path, torch.cat([0.3 * torch.randn(24000), torch.zeros(48000)]), 24000)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"Xing", b"none").replace(b"Info", b"none"))
    assert "varying bit rate" in message(path)
    path.write_bytes(data)
    assert load_audio(path).shape == (72000,)


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.wav", voice(24000))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in message(path)


def test_truncated_wav_names_both_counts(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", np.stack([voice(24000)] * 2, axis=1))
    data = path.read_bytes()
    path.write_bytes(data[: 44 + 4 * 10000])
    text = message(path)
    assert "truncated" in text
    assert "24000 frames" in text
    assert "10000" in text
    with pytest.raises(InputError, match="truncated"):
        audio_duration_s(path)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3", ".opus"])
def test_truncated_compressed_files(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"a{suffix}"
    write_audio(path, torch.from_numpy(voice(24000)) + 0.05 * torch.randn(24000), 24000)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    text = message(path)
    assert "truncated" in text or "cut short" in text
    if suffix == ".flac" and "truncated" in text:
        assert "24000 frames" in text


def test_wav_stream_of_unknown_length_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "pipe.wav"
    path.write_bytes(wav_stream_header(24000) + (voice(24000) * 32767).astype("<i2").tobytes())
    assert snr_db(voice(24000), load_audio(path)) > 60


def test_wav_with_other_chunks_is_whole(tmp_path: Path) -> None:
    data = save(tmp_path / "a.wav", voice(24000)).read_bytes()
    extra = b"LIST\x05\x00\x00\x00INFOx\x00"  # odd length, padded
    path = tmp_path / "b.wav"
    path.write_bytes(data[:36] + extra + data[36:])
    assert load_audio(path).shape == (24000,)


def test_no_samples_nan_and_too_short(tmp_path: Path) -> None:
    assert "no samples" in message(save(tmp_path / "zero.wav", np.zeros(0, np.float32)))
    bad = voice(24000)
    bad[[7, 9]] = np.nan, np.inf
    text = message(save(tmp_path / "nan.wav", bad, subtype="FLOAT"))
    assert "2 NaN or infinite samples (first at 7)" in text
    short = save(tmp_path / "short.wav", voice(24000, 0.5))
    assert "0.50 s long; expected at least 1 s" in message(short, min_seconds=1.0)
    assert load_audio(short, min_seconds=0.5).shape == (12000,)


def test_silence_is_told_from_quiet_speech() -> None:
    speech = torch.from_numpy(voice(24000))
    check_not_silent(speech, "a")
    check_not_silent(10 ** (-40 / 20) * speech, "a")
    # Speech in the middle of a long silence, and much shorter than a window.
    check_not_silent(torch.cat([torch.zeros(99999), speech, torch.zeros(99999)]), "a")
    check_not_silent(speech[2000:2100], "a")
    with pytest.raises(InputError, match="prompt is silent \\(all zeros\\)"):
        check_not_silent(torch.zeros(24000), "prompt")
    dither = (torch.rand(24000) - torch.rand(24000)) / 32768
    with pytest.raises(InputError, match="dBFS"):
        check_not_silent(dither, "prompt")
    with pytest.raises(InputError, match="silent"):
        check_not_silent(torch.zeros(0), "prompt")


def test_clipping_is_counted_and_bounded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    audio = torch.tensor([0.0, 2.0, -3.0, 0.5, 1.0, -1.0])
    with caplog.at_level(logging.WARNING):
        write_audio(tmp_path / "a.wav", audio, 24000)
    assert "2 of 6 samples" in caplog.text
    stored, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert np.allclose(stored, [0, 1, -1, 0.5, 1, -1], atol=1e-4)


def test_write_errors(tmp_path: Path) -> None:
    audio = torch.zeros(100)
    with pytest.raises(InputError, match=r"unknown suffix '.aac'; use one of .wav, .flac, .ogg"):
        write_audio(tmp_path / "a.aac", audio, 24000)
    with pytest.raises(InputError, match="create it"):
        write_audio(tmp_path / "none" / "a.wav", audio, 24000)
    with pytest.raises(InputError, match="96000 Hz"):
        write_audio(tmp_path / "a.mp3", audio, 96000)
    with pytest.raises(InputError, match="NaN"):
        write_audio(tmp_path / "a.wav", torch.full((3,), math.nan), 24000)
    with pytest.raises(ValueError, match="shape"):
        write_audio(tmp_path / "a.wav", torch.zeros(1, 100), 24000)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    write_audio(path, torch.ones(10) / 2, 24000)
    before = path.read_bytes()

    def fail(self: Sink, data: memoryview) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Sink, "_write_some", fail)
    with pytest.raises(InputError, match="space"):
        write_audio(path, torch.zeros(10), 24000)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.slow
def test_real_write_limit_leaves_no_partial_file(tmp_path: Path) -> None:
    """The kernel itself refuses the second half of the file."""
    program = (
        "import resource, sys, torch\n"
        "from pathlib import Path\n"
        "from latentspeech.audio.io import write_audio\n"
        "from latentspeech.core.errors import InputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000))\n"
        "try: write_audio(Path(sys.argv[1]), torch.zeros(48000), 24000)\n"
        "except InputError as error: sys.exit(str(error))\n"
    )
    path = tmp_path / "a.wav"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert "free" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
