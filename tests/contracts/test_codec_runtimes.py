"""Whatever runs a codec gives what its torch module gives, whole and in chunks of any size."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from latentspeech.codec.config import CodecConfig, ConvNeXtConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import find_codec, load_codec_module
from latentspeech.codec.onnx.codec import OnnxCodec
from latentspeech.codec.onnx.harmonics import PitchEstimate
from latentspeech.codec.runtime import CodecRuntime, TorchCodec, load_codec
from latentspeech.core.errors import CheckpointError
from latentspeech.core.onnx.from_torch import module_weights
from tests.contracts.test_streaming import CODECS, randomize

Floats = NDArray[np.float32]


def make(config: CodecConfig) -> tuple[TorchCodec, OnnxCodec]:
    torch.manual_seed(1)
    module = Codec(config).eval()
    randomize(module)
    for parameter in module.parameters():
        parameter.data.mul_(0.4)  # samples stay near full scale
    weights = module_weights(module)
    other = OnnxCodec(config, lambda: weights.part("encoder"), lambda: weights.part("decoder"))
    return TorchCodec(module), other


def noise(*shape: int) -> Floats:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.fixture(scope="module", params=list(CODECS))
def both(request: pytest.FixtureRequest) -> tuple[TorchCodec, OnnxCodec]:
    return make(CODECS[request.param])


def test_both_give_the_same_latents_and_samples(both: tuple[TorchCodec, OnnxCodec]) -> None:
    """Two rows at once; a length that is no multiple of a latent's."""
    torch_codec, onnx_codec = both
    audio = 0.3 * noise(2, 7 * torch_codec.config.hop_length + 5)
    latents = torch_codec.encode(audio)
    found = onnx_codec.encode(audio)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, latents, rtol=1e-3, atol=1e-3 * np.abs(latents).max())
    samples = torch_codec.decode(latents, 100)
    assert samples.shape == (2, 100)
    decoded = onnx_codec.decode(latents, 100)
    np.testing.assert_allclose(decoded, samples, rtol=1e-3, atol=1e-3 * np.abs(samples).max())


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=6))
def test_chunks_of_any_size_give_the_whole(
    both: tuple[TorchCodec, OnnxCodec], cuts: list[int]
) -> None:
    for codec in both:
        audio = 0.3 * noise(1, 9 * codec.config.hop_length + 3)
        latents = codec.encode(audio)
        points = sorted({0, audio.shape[1], *(cut % audio.shape[1] for cut in cuts)})
        state, pieces = codec.init_encode_state(1), []
        for start, end in itertools.pairwise(points):
            piece, state = codec.encode_step(audio[:, start:end], state)
            pieces.append(piece)
        piece, state = codec.encode_step(audio[:, :0], state, flush=True)
        streamed = np.concatenate([*pieces, piece], axis=1)
        np.testing.assert_allclose(streamed, latents, atol=1e-4 * np.abs(latents).max())
        check_decoding(codec, latents, [1 + cut % 3 for cut in cuts])


def check_decoding(codec: CodecRuntime, latents: Floats, sizes: list[int]) -> None:
    whole = codec.decode(latents)
    state, pieces, start = codec.init_decode_state(1), [], 0
    for size in [*sizes, latents.shape[1]]:
        piece, state = codec.decode_step(latents[:, start : start + size], state)
        pieces.append(piece)
        start = min(start + size, latents.shape[1])
        if start == latents.shape[1]:
            break
    streamed = np.concatenate(pieces, axis=1)
    np.testing.assert_allclose(streamed, whole, atol=1e-4 * np.abs(whole).max())


def test_wrong_shapes_and_weights_are_refused() -> None:
    _, codec = make(CODECS["mirrored"])
    with pytest.raises(ValueError, match=r"audio has shape \(5,\); expected \(B, n\)"):
        codec.encode(np.zeros(5, dtype=np.float32))
    with pytest.raises(ValueError, match=r"latents has shape \(1, 2, 7\); expected \(B, f, 6\)"):
        codec.decode(np.zeros((1, 2, 7), dtype=np.float32))
    narrow = module_weights(Codec(CODECS["mirrored"]))
    side = ConvNeXtConfig(strides=(2, 4, 5), base_channels=8, depths=(1, 1, 2, 2))
    wide = CodecConfig(latent_dim=6, encoder=side, decoder=side)
    codec = OnnxCodec(wide, lambda: narrow.part("encoder"), lambda: narrow.part("decoder"))
    with pytest.raises(CheckpointError, match="does not fit its config"):
        codec.encode(np.zeros((1, 400), dtype=np.float32))
    with pytest.raises(CheckpointError, match="does not fit its config"):
        codec.decode(np.zeros((1, 4, 6), dtype=np.float32))


@pytest.mark.filterwarnings("error")
def test_samples_that_are_too_large_give_no_finite_latents_and_no_warning() -> None:
    """The caller says so in its own words; logits far below zero are no overflow either."""
    _, codec = make(CODECS["harmonic"])
    audio = 1e25 * noise(1, 4 * codec.config.hop_length)
    assert not np.isfinite(codec.encode(audio)).all()
    estimate = PitchEstimate(CODECS["harmonic"].decoder.pitch)
    logits = np.full((1, 2, 181), -1000, dtype=np.float32)
    assert estimate(logits)[1].tolist() == [[0.0, 0.0]]


@pytest.mark.slow
def test_twenty_seconds_differ_from_torch_by_rounding_alone() -> None:
    """Both are as far from float64; the phase adds up the rounding of the pitch."""
    directory = find_codec()
    codec = load_codec(directory)
    module = load_codec_module(directory)
    voice = np.concatenate([_voice_latents()] * 8)[None, :300]
    with torch.inference_mode():
        rounded = module.decode(torch.from_numpy(voice)).numpy()
        exact = module.double().decode(torch.from_numpy(voice).double()).numpy()
    found = codec.decode(voice)
    assert found.shape[1] == 20 * codec.config.sample_rate
    worst, other = (np.abs(samples - exact).max() for samples in (found, rounded))
    assert worst < 2 * other + 1e-6
    assert worst < 5e-3 * np.abs(exact).max()


def _voice_latents() -> Floats:
    from latentspeech.tts.prompt import load_voice
    from latentspeech.tts.voices import resolve_voice

    return load_voice(resolve_voice("heart")).latents
