"""What a codec meets outside the laboratory: each gives sound audio, or one clear error."""

import math
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from latentspeech.audio.io import load_audio, resample
from latentspeech.audio.pcm import decode_pcm, encode_pcm
from latentspeech.codec.model_directory import find_codec, load_codec_module
from tests.cli_runner import latentspeech
from tests.real_recordings import SAMPLE_RATE, real_music, real_recordings
from tests.unit.cli.test_bad_input import assert_refused, latentspeech_process

pytestmark = pytest.mark.slow

SHIPPED = find_codec("codec")
RATE = 24_000


@pytest.fixture(scope="module")
def speech() -> Tensor:
    return real_recordings(1)[0].audio


def write_input(case: str, path: Path, speech: Tensor) -> int:
    """Writes a wav file of this kind; returns its sample rate."""
    subtype, rate = "PCM_16", SAMPLE_RATE
    audio = speech
    match case:
        case "48 kHz stereo":
            rate = 48_000
            wide = resample(speech, SAMPLE_RATE, rate)
            audio = torch.stack((wide, 0.5 * wide.roll(480)), dim=1)
        case "8 kHz telephone":
            subtype, rate = "ULAW", 8_000
            audio = resample(speech, SAMPLE_RATE, rate)
        case "inverted right channel":
            audio = torch.stack((speech, -speech), dim=1)
        case "music":
            audio = real_music(4.0)
        case "silence":
            audio = torch.zeros(3 * SAMPLE_RATE)
        case "clipped":
            audio = (20 * speech).clamp(-1, 1)
        case "one sample":
            audio = speech[:1]
        case "odd rate, 24 bits":
            subtype, rate = "PCM_24", 11_025
    soundfile.write(path, audio.clamp(-1, 1).numpy(), rate, subtype=subtype)
    return rate


CASES = (
    "48 kHz stereo",
    "8 kHz telephone",
    "inverted right channel",
    "music",
    "silence",
    "clipped",
    "one sample",
    "odd rate, 24 bits",
)


@pytest.mark.parametrize("case", CASES)
def test_files_of_all_kinds(case: str, speech: Tensor, tmp_path: Path) -> None:
    source = tmp_path / "in.wav"
    rate = write_input(case, source, speech)
    expected = math.ceil(soundfile.info(source).frames * RATE / rate)
    out = tmp_path / "out.wav"
    result = latentspeech("codec", "reconstruct", source, out, "--model", SHIPPED)
    assert result.returncode == 0, result.stderr
    assert soundfile.info(out).samplerate == RATE
    copy = load_audio(out, RATE)  # refuses what is not finite
    assert len(copy) == expected
    if case == "inverted right channel":
        assert abs(level_db(copy) - level_db(speech)) < 6


@pytest.mark.parametrize("case", ["NaN", "empty", "no samples", "too loud for floats"])
def test_what_is_no_recording_is_one_clear_line(case: str, tmp_path: Path) -> None:
    source, out = tmp_path / "in.wav", tmp_path / "out.wav"
    samples = 0.1 * torch.randn(RATE)
    fragment = "in.wav"
    match case:
        case "NaN":
            samples[500] = math.nan
            soundfile.write(source, samples.numpy(), RATE, subtype="FLOAT")
        case "empty":
            source.write_bytes(b"")
        case "no samples":
            soundfile.write(source, samples[:0].numpy(), RATE)
        case _:
            soundfile.write(source, 1e25 * samples.numpy(), RATE, subtype="FLOAT")
            fragment = "scale it"
    result = latentspeech("codec", "reconstruct", source, out, "--model", SHIPPED, "--quiet")
    assert_refused(result, fragment)
    assert not out.exists()


def test_pipes_of_all_kinds(speech: Tensor) -> None:
    command = ("codec", "stream", "roundtrip", "--model", SHIPPED)
    wide = resample(speech, SAMPLE_RATE, RATE)[: RATE + 7]
    mixed = torch.cat((wide, torch.zeros(RATE), (20 * wide).clamp(-1, 1)))
    for audio in (mixed, wide[:1], wide[:0]):
        result = latentspeech_process(*command, stdin=encode_pcm(audio, "s16le"))
        assert result.returncode == 0, result.stderr
        assert len(result.stdout) == 2 * 1600 * math.ceil(len(audio) / 1600)
    floats = (*command, "--format", "float32")
    result = latentspeech_process(*floats, stdin=encode_pcm(mixed, "float32"))
    copy, rest = decode_pcm(result.stdout, "float32")  # refuses what is not finite
    assert len(copy) == 1600 * math.ceil(len(mixed) / 1600)
    assert rest == b""
    for audio, fragment in ((wide / 0, "NaN"), (1e25 * wide, "scale it")):
        result = latentspeech_process(*floats, stdin=encode_pcm(audio, "float32"))
        assert_refused(result, fragment)


def test_silence_stays_silent_and_speech_stays_as_loud(speech: Tensor) -> None:
    audio = resample(speech, SAMPLE_RATE, RATE)
    silence = torch.zeros(2 * RATE)
    codec = load_codec_module(SHIPPED)
    with torch.inference_mode():
        quiet, loud = (codec.decode(codec.encode(x[None]), len(x))[0] for x in (silence, audio))
    assert level_db(quiet) < -60
    assert abs(level_db(loud) - level_db(audio)) < 6


@pytest.mark.parametrize("seed", range(3))
def test_streaming_equals_offline_on_the_shipped_weights(seed: int, speech: Tensor) -> None:
    audio = resample(speech, SAMPLE_RATE, RATE)[: 3 * RATE + 11]
    exact = streaming_differences(SHIPPED, audio.double(), seed)
    assert max(exact) < 1e-8
    of_latents, of_audio = streaming_differences(SHIPPED, audio, seed)
    assert of_latents < 1e-4
    # The harmonic decoder adds up a phase, and with it the rounding of the pitch in float32: copies
    # drift apart by a thousandth of the peak in seconds.
    assert of_audio < 1e-2


@torch.inference_mode()
def streaming_differences(model: Path, audio: Tensor, seed: int) -> tuple[float, float]:
    """How far latents and audio (T,) of random chunks are from the whole's, over the peak."""
    codec = load_codec_module(model).to(audio.dtype)
    latents = codec.encode(audio[None])
    generator = torch.Generator().manual_seed(seed)
    state, pieces = codec.init_encode_state(1), []
    for chunk in random_chunks(audio[None], 3000, generator):
        piece, state = codec.encode_step(chunk, state)
        pieces.append(piece)
    pieces.append(codec.encode_step(audio.new_zeros(1, 0), state, flush=True)[0])
    of_latents = relative(torch.cat(pieces, dim=1), latents)
    state, pieces = codec.init_decode_state(1), []
    for chunk in random_chunks(latents, 6, generator):
        piece, state = codec.decode_step(chunk, state)
        pieces.append(piece)
    return of_latents, relative(torch.cat(pieces, dim=1), codec.decode(latents))


def random_chunks(x: Tensor, longest: int, generator: torch.Generator) -> list[Tensor]:
    """x (1, T, ...) in pieces of 1 to `longest`."""
    sizes: list[int] = []
    while (left := x.shape[1] - sum(sizes)) > 0:
        size = int(torch.randint(1, longest + 1, (), generator=generator))
        sizes.append(min(size, left))
    return list(torch.split(x, sizes, dim=1))


def relative(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


def level_db(audio: Tensor) -> float:
    return 20 * math.log10(float(audio.square().mean().sqrt()) + 1e-12)
