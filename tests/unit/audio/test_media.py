"""Containers that phones and browsers write, read by PyAV where it is installed."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from latentspeech.audio.io import audio_duration_s, load_audio
from latentspeech.core.errors import InputError
from tests.unit.audio.test_audio_io import voice

av = pytest.importorskip("av")
RATE = 48_000
# suffix: encoder, sample rate, lowest signal-to-noise ratio in dB after coding
FORMATS = {
    ".m4a": ("aac", 48_000, 8),
    ".mp4": ("aac", 44_100, 8),
    ".webm": ("libopus", 48_000, 6),
    ".3gp": ("libopencore_amrnb", 8_000, 0),
    ".mkv": ("pcm_s16le", 48_000, 30),
}


def write_media(path: Path, channels: torch.Tensor, picture: bool = False) -> None:
    """Writes channels (C, T) at RATE, with a picture that lasts longer than the sound."""
    encoder, rate, _ = FORMATS[path.suffix]
    layout = "mono" if len(channels) == 1 else "stereo"
    with av.open(str(path), "w") as container:
        sound = container.add_stream(encoder, rate=rate, layout=layout)
        if picture:
            film = container.add_stream("mpeg4", rate=10)
            film.width = film.height = 32
            for number in range(30):
                image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
                image.pts, image.time_base = number, Fraction(1, 10)
                container.mux(film.encode(image))
            container.mux(film.encode(None))
        frame = av.AudioFrame.from_ndarray(channels.numpy(), "fltp", layout)
        frame.rate = RATE
        converter = av.AudioResampler(
            sound.codec_context.format, layout, rate, sound.codec_context.frame_size or 1024
        )
        for part in [*converter.resample(frame), *converter.resample(None)]:
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))


def speech(seconds: float) -> torch.Tensor:
    return torch.from_numpy(voice(RATE, seconds))


def snr_db(found: torch.Tensor, seconds: float) -> float:
    """Of samples (T,) at 24 kHz, at the best of the delays that coders have."""
    reference = torch.from_numpy(voice(24_000, seconds))[:-2000]
    padded = torch.nn.functional.pad(found, (0, 2000))
    noise = [
        (padded[delay : delay + len(reference)] - reference).square().sum() for delay in range(1200)
    ]
    return float(10 * (reference.square().sum() / min(noise)).log10())


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("num_channels", [1, 2])
def test_what_phones_and_browsers_write(suffix: str, num_channels: int, tmp_path: Path) -> None:
    if suffix == ".3gp" and num_channels == 2:
        pytest.skip("AMR is mono")
    path = tmp_path / f"a{suffix}"
    write_media(path, torch.stack([speech(2.0)] * num_channels), picture=suffix == ".mp4")
    found = load_audio(path, 24_000)
    assert abs(len(found) / 24_000 - 2.0) < 0.1
    assert abs(audio_duration_s(path) - 2.0) < 0.1
    assert snr_db(found, 2.0) > FORMATS[suffix][2]


def test_an_inverted_channel_does_not_cancel_the_other(tmp_path: Path) -> None:
    write_media(tmp_path / "a.mkv", torch.stack((speech(2.0), -speech(2.0))))
    assert snr_db(load_audio(tmp_path / "a.mkv", 24_000), 2.0) > FORMATS[".mkv"][2]


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    for suffix in (".m4a", ".mkv"):
        path = tmp_path / f"a{suffix}"
        write_media(path, speech(4.0)[None])
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(InputError, match=r"truncated|damaged|no audio"):
            load_audio(path)


def test_a_download_that_broke_off_is_named_as_such(tmp_path: Path) -> None:
    """The table of contents stands at the end of an m4a, so FFmpeg cannot open such a file."""
    path = tmp_path / "a.m4a"
    write_media(path, speech(1.0)[None])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a.m4a is damaged or cut short"):
        load_audio(path)


def test_a_film_without_sound_and_a_list_of_files_are_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        film = container.add_stream("mpeg4", rate=10)
        film.width = film.height = 32
        image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        container.mux(film.encode(image))
        container.mux(film.encode(None))
    with pytest.raises(InputError, match="holds no sound"):
        load_audio(tmp_path / "film.mp4")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost:1/a.ts\n")
    with pytest.raises(InputError, match="no audio"):
        load_audio(tmp_path / "list.m3u8")


def test_without_pyav_the_line_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_media(tmp_path / "a.m4a", speech(1.0)[None])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'latentspeech\[media\]'") as caught:
        load_audio(tmp_path / "a.m4a")
    assert "\n" not in str(caught.value)
