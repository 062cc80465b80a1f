import io
from typing import get_args

import numpy as np
import pytest
import soundfile
import torch

from latentspeech.audio.pcm import PcmFormat, decode_pcm, encode_pcm, wav_stream_header
from latentspeech.core.errors import InputError


@pytest.mark.parametrize("pcm_format", get_args(PcmFormat))
def test_bytes_in_any_pieces_give_the_same_samples(pcm_format: PcmFormat) -> None:
    audio = torch.rand(999) * 2 - 1
    data = encode_pcm(audio, pcm_format)
    whole, rest = decode_pcm(data, pcm_format)
    assert rest == b""
    error = np.abs(whole - audio.numpy()).max()
    assert error <= (0 if pcm_format == "float32" else 0.5 / 32768 + 1e-7)
    pieces, pending, position = [], b"", 0
    for size in [1, 2, 3, 5, 7, 1000, 1, len(data)]:
        pending += data[position : position + size]
        position += size
        samples, pending = decode_pcm(pending, pcm_format)
        pieces.append(samples)
    assert pending == b""
    assert np.array_equal(np.concatenate(pieces), whole)


def test_every_s16_value_survives() -> None:
    data = np.arange(-32768, 32768).astype("<i2").tobytes()
    assert encode_pcm(decode_pcm(data, "s16le")[0], "s16le") == data


def test_s16_clips_instead_of_wrapping() -> None:
    data = encode_pcm(torch.tensor([1.0, 5.0, -1.0, -5.0]), "s16le")
    assert np.frombuffer(data, "<i2").tolist() == [32767, 32767, -32768, -32768]


def test_remainder_shorter_than_a_sample() -> None:
    samples, rest = decode_pcm(b"\x00\x00\x00", "float32")
    assert samples.shape == (0,)
    assert rest == b"\x00\x00\x00"


def test_not_a_number_is_refused() -> None:
    data = np.array([0.0, np.nan], "<f4").tobytes()
    with pytest.raises(InputError, match="s16le"):
        decode_pcm(data, "float32")


@pytest.mark.parametrize("pcm_format", get_args(PcmFormat))
def test_header_and_samples_are_a_wav_file(pcm_format: PcmFormat) -> None:
    audio = torch.rand(480) - 0.5
    stream = wav_stream_header(16000, pcm_format) + encode_pcm(audio, pcm_format)
    data, rate = soundfile.read(io.BytesIO(stream), dtype="float32")
    assert rate == 16000
    assert np.allclose(data, audio.numpy(), atol=1 / 32768)
