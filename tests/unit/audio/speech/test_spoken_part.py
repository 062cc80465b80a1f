"""What of a recording makes a voice: only speech, whatever its level, offset and surroundings."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from latentspeech.audio.io import read_audio
from latentspeech.audio.speech.spoken_part import SpokenPart, read_spoken_part
from latentspeech.core.errors import InputError
from tests.real_recordings import SAMPLE_RATE, real_music, real_recordings
from tests.unit.audio.test_audio_io import voice

RATE = 24_000
NOISE = 1e-3 * torch.randn(40 * RATE, generator=torch.Generator().manual_seed(0))
PHRASES = (1 + 2 * (2 * torch.pi * 1.5 * torch.arange(4 * RATE) / RATE).sin()).clamp(0, 1)
SPEECH = torch.from_numpy(voice(RATE, 4.0)) * PHRASES + NOISE[: 4 * RATE]


def silence(seconds: float) -> Tensor:
    return torch.zeros(int(seconds * RATE))


def read(folder: Path, *pieces: Tensor, longest_s: float = 8.0) -> SpokenPart:
    path = folder / "ref.wav"
    soundfile.write(path, torch.cat(pieces).numpy(), RATE, subtype="FLOAT")
    return read_spoken_part(path, RATE, longest_s)


def times_s(part: SpokenPart) -> list[float]:
    return [edge / RATE for stretch in part.stretches for edge in stretch]


def test_a_clean_recording_is_used_as_it_is(tmp_path: Path) -> None:
    part = read(tmp_path, silence(0.4), SPEECH, silence(0.4))
    assert np.array_equal(part.audio, torch.cat((silence(0.4), SPEECH, silence(0.4))))
    assert part.used(RATE) is None
    assert part.faults == []
    assert not part.is_cut


@pytest.mark.parametrize("noise", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("offset", [0.0, 0.05, -0.3])
def test_silence_and_offset_are_removed(noise: float, offset: float, tmp_path: Path) -> None:
    recorded = torch.cat((silence(6), SPEECH, silence(10)))
    recorded = recorded + noise * NOISE[: len(recorded)] + offset
    part = read(tmp_path, recorded)
    start_s, end_s = times_s(part)
    assert 5.5 < start_s <= 6.0
    assert 10.0 <= end_s < 10.7
    assert part.used(RATE) == f"used {start_s:.1f} to {end_s:.1f} s of 20.0 s"
    assert not part.is_cut
    expected = (recorded - offset)[part.stretches[0].start : part.stretches[0].end]
    # An offset is known up to the speech's mean.
    assert np.abs(part.audio - expected.numpy()).max() < 1e-2
    assert abs(float(part.audio.mean())) < 2e-3


def test_long_silence_within_is_removed_and_a_pause_is_not(tmp_path: Path) -> None:
    part = read(tmp_path, SPEECH[: 2 * RATE], silence(5), SPEECH[2 * RATE :])
    assert len(part.stretches) == 2
    assert 4.0 < len(part.audio) / RATE < 5.2
    assert str(part.used(RATE)).endswith("of 9.0 s without the silence within, 4.6 s")
    pause = read(tmp_path, SPEECH[: 2 * RATE], silence(1), SPEECH[2 * RATE :])
    assert len(pause.audio) == 5 * RATE


def test_of_long_recordings_the_best_part_is_used(tmp_path: Path) -> None:
    spoken = torch.cat((SPEECH, silence(0.4)))
    noisy = torch.cat([spoken] * 4)
    noisy = noisy + 30 * NOISE[: len(noisy)]
    part = read(tmp_path, noisy, spoken, spoken, noisy)
    start_s, end_s = times_s(part)
    assert part.is_cut
    assert 4 * 4.4 - 0.5 < start_s < end_s < 6 * 4.4 + 0.5
    assert 7.0 < end_s - start_s <= 8.0
    assert read(tmp_path, 0.03 * noisy, spoken, spoken).stretches[0].start > 4 * 4.4 * RATE - RATE


def test_words_are_not_cut(tmp_path: Path) -> None:
    """Both ends of the part lie in the gaps of 0.3 s between words of 0.9 s."""
    word = torch.cat((torch.from_numpy(voice(RATE, 0.9)), silence(0.3)))
    part = read(tmp_path, *[word] * 20)
    for edge_s in times_s(part):
        inside = edge_s % 1.2
        assert inside > 0.85 or inside < 0.05
    assert 6.5 < len(part.audio) / RATE <= 8.0


@pytest.mark.parametrize("level", [-45, -58, -65])
def test_quiet_speech_is_made_louder_with_a_warning(level: int, tmp_path: Path) -> None:
    quiet = SPEECH * 10 ** (level / 20) / SPEECH.square().mean().sqrt()
    part = read(tmp_path, quiet)
    assert 20 * np.log10(np.sqrt((part.audio**2).mean())) == pytest.approx(-26, abs=0.5)
    (fault,) = part.faults
    assert fault.startswith(f"very quiet ({level} dBFS)")


def test_faults_are_told(tmp_path: Path) -> None:
    (noisy,) = read(tmp_path, SPEECH + 20 * NOISE[: len(SPEECH)]).faults
    assert noisy.startswith("noisy or echoing (between words it falls by 1")
    assert "record in a quiet room" in noisy
    loud = (8 * SPEECH).clamp(-1, 1)
    assert read(tmp_path, loud).faults == ["clipped: record it again at a lower level"]
    path = tmp_path / "phone.wav"
    soundfile.write(path, voice(8000, 4.0), 8000)
    narrow = read_spoken_part(path, RATE, 8.0).faults[-1]
    assert "without any sound above 4.5 kHz" in narrow


def test_what_is_no_speech_is_refused_for_the_right_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is silent \(all zeros\)"):
        read(tmp_path, silence(4))
    with pytest.raises(InputError, match="is silent"):
        read(tmp_path, silence(4) + 0.05)
    with pytest.raises(InputError, match=r"is silent \(-8. dBFS\)"):
        read(tmp_path, SPEECH * 10 ** (-70 / 20))
    with pytest.raises(InputError, match="rather like noise or music"):
        read(tmp_path, 100 * NOISE[: 4 * RATE])
    with pytest.raises(InputError, match="rather like noise or music"):
        read(tmp_path, 0.2 * (2 * torch.pi * 100 * torch.arange(12 * RATE) / RATE).sin())


def test_ten_minutes_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(601 * 8000, np.int16), 8000)
    with pytest.raises(InputError, match=r"lasts 601.00 s; a prompt lasts 0.5 s to 10 min"):
        read_spoken_part(path, RATE, 8.0)
    with pytest.raises(InputError, match=r"lasts 0.30 s"):
        read(tmp_path, SPEECH[: int(0.3 * RATE)])


@pytest.mark.slow
def test_real_speech_is_found_and_real_music_is_not(tmp_path: Path) -> None:
    path = tmp_path / "ref.wav"
    for recording in real_recordings(10):
        speech = recording.audio
        soundfile.write(path, speech.numpy(), SAMPLE_RATE, subtype="FLOAT")
        assert np.array_equal(read_spoken_part(path, RATE, 8.0).audio, read_audio(path, RATE))
        pad = torch.zeros(4 * SAMPLE_RATE)
        padded = torch.cat((pad, speech, pad)) + 0.05
        padded += 1e-3 * torch.randn(len(padded), generator=torch.Generator().manual_seed(1))
        soundfile.write(path, padded.numpy(), SAMPLE_RATE, subtype="FLOAT")
        start_s, end_s = times_s(read_spoken_part(path, RATE, 8.0))
        assert 3.4 < start_s < 4.3
        assert -0.3 < end_s - 4 - len(speech) / SAMPLE_RATE < 0.7
    soundfile.write(path, real_music(20.0).numpy(), SAMPLE_RATE)
    with pytest.raises(InputError, match="noise or music"):
        read_spoken_part(path, RATE, 8.0)
