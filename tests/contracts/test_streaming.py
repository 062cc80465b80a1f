"""Streaming equals offline, whatever the partition, for every module that claims the contract."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from latentspeech.codec.config import (
    CodecConfig,
    ConvNeXtConfig,
    HarmonicDecoderConfig,
    IstftDecoderConfig,
    StftEncoderConfig,
)
from latentspeech.codec.convnext import ConvNeXtBlock
from latentspeech.codec.decoders.harmonic_decoder import HarmonicDecoder
from latentspeech.codec.decoders.istft_head import IstftHead
from latentspeech.codec.encoders.stft_encoder import LogSpectrum
from latentspeech.codec.model import Codec
from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.causal_conv import (
    CausalConv1d,
    CausalConvTranspose1d,
    CausalDepthwiseConv1d,
)
from latentspeech.core.nn.streaming import StreamingModule, StreamingSequential, reset_rows
from latentspeech.core.tensors import copy_state

SMALL = ConvNeXtConfig(strides=(2, 4, 5), base_channels=4, depths=(1, 1, 2, 2), layer_scale=0.5)
FAST = IstftDecoderConfig(
    latent_channels=8,
    latent_depth=1,
    upsampling=5,
    frame_channels=6,
    frame_depth=1,
    hop_length=8,
    window_length=32,
    layer_scale=0.5,
)
HARMONIC = HarmonicDecoderConfig(**{**FAST.model_dump(), "kind": "harmonic"})
SPECTRAL = StftEncoderConfig(
    window_length=24,
    hop_length=8,
    frame_channels=6,
    frame_depth=1,
    downsampling=5,
    latent_channels=8,
    latent_depth=1,
    cepstrum_lags=(2, 7),
    layer_scale=0.5,
)
CODECS = {
    "mirrored": CodecConfig(latent_dim=6, encoder=SMALL, decoder=SMALL),
    "fast": CodecConfig(latent_dim=6, encoder=SMALL, decoder=FAST),
    "fast, lookahead": CodecConfig(
        latent_dim=6, encoder=SMALL, decoder=FAST, lookahead_samples=FAST.lookahead_samples
    ),
    "fast both ways": CodecConfig(
        latent_dim=6, encoder=SPECTRAL, decoder=FAST, lookahead_samples=FAST.lookahead_samples
    ),
    "harmonic": CodecConfig(latent_dim=6, encoder=SPECTRAL, decoder=HARMONIC, lookahead_samples=24),
    "grouped": CodecConfig(
        latent_dim=6, frames_per_latent=3, encoder=SPECTRAL, decoder=FAST, lookahead_samples=24
    ),
}
CODEC = CODECS["mirrored"]

MODULES = {
    "conv": (lambda: CausalConv1d(3, 5, 7), 3, 1),
    "strided": (lambda: CausalConv1d(3, 5, 8, 4), 3, 4),
    "strided, no overlap": (lambda: CausalConv1d(3, 5, 4, 4), 3, 4),
    "depthwise": (lambda: CausalDepthwiseConv1d(3, 7), 3, 1),
    "transposed": (lambda: CausalConvTranspose1d(3, 5, 8, 4), 3, 1),
    "transposed, long": (lambda: CausalConvTranspose1d(3, 5, 12, 4), 3, 1),
    "transposed, no overlap": (lambda: CausalConvTranspose1d(3, 5, 4, 4), 3, 1),
    "log spectrum": (lambda: LogSpectrum(24, 8, None), 1, 8),
    "log spectrum, cepstrum": (lambda: LogSpectrum(24, 8, (2, 7)), 1, 8),
    "harmonic decoder": (lambda: HarmonicDecoder(HARMONIC, 3, 24_000), 3, 1),
    "inverse STFT": (lambda: IstftHead(3, 32, 8), 3, 1),
    "inverse STFT, two hops": (lambda: IstftHead(3, 16, 8), 3, 1),
    "block": (lambda: ConvNeXtBlock(3, SMALL), 3, 1),
    "sequence": (
        lambda: StreamingSequential(
            CausalConv1d(3, 4, 6, 3), torch.nn.GELU(), CausalConvTranspose1d(4, 2, 6, 3)
        ),
        3,
        3,
    ),
}


def randomize(module: torch.nn.Module) -> torch.nn.Module:
    """Biases are zero at the start; a bias counted twice must show."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def partition(total: int, cuts: list[int]) -> list[int]:
    """Sizes of the pieces between the sorted cuts, zero-length ones left out."""
    points = sorted({0, total, *(cut % (total + 1) for cut in cuts)})
    return [end - start for start, end in itertools.pairwise(points)]


def run_in_chunks(module: StreamingModule, x: Tensor, sizes: list[int]) -> Tensor:
    state = module.init_state(x.shape[0])
    outputs = []
    for piece in x.split(sizes, dim=1):
        y, state = module.step(piece, state)
        outputs.append(y)
    return torch.cat(outputs, dim=1)


@pytest.mark.parametrize("name", MODULES)
@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 1000), max_size=12))
def test_modules_stream_exactly(name: str, cuts: list[int]) -> None:
    make, channels, stride = MODULES[name]
    module = randomize(make()).double()
    x = torch.randn(2, 12 * stride, channels, dtype=torch.float64)
    sizes = [stride * size for size in partition(12, cuts)]
    whole = module(x)
    # Random weights make samples of hundreds; the bound is for samples in [-1, 1].
    peak = whole.abs().max().clamp(min=1)
    chunked = run_in_chunks(module, x, sizes)
    torch.testing.assert_close(chunked / peak, whole / peak, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_causal_by_gradient(name: str) -> None:
    make, channels, stride = MODULES[name]
    module = randomize(make()).double()
    x = torch.randn(1, 12 * stride, channels, dtype=torch.float64, requires_grad=True)
    y = module(x)
    per_output = x.shape[1] / y.shape[1]
    per_block = max(1, y.shape[1] // 12)  # outputs that one block of inputs closes
    # The last of a block: a window's first sample is zero.
    for index in (per_block - 1, 6 * per_block - 1, y.shape[1] - 1):
        (gradient,) = torch.autograd.grad(y[0, index].sum(), x, retain_graph=True)
        # The block of inputs that the output closes is the last one it may see.
        last = (int(index * per_output) // stride + 1) * stride
        assert gradient[0, last:].abs().max() == 0 if last < x.shape[1] else True
        assert gradient[0, last - stride : last].abs().max() > 0


def test_convolutions_equal_torch() -> None:
    x = torch.randn(2, 40, 3, dtype=torch.float64)
    channels_first = x.transpose(1, 2)
    conv = randomize(CausalConv1d(3, 5, 8, 4)).double()
    weight = conv.linear.weight.view(5, 8, 3).permute(0, 2, 1)
    padded = torch.nn.functional.pad(channels_first, (4, 0))
    expected = torch.nn.functional.conv1d(padded, weight, conv.linear.bias, stride=4)
    torch.testing.assert_close(conv(x), expected.transpose(1, 2))

    up = randomize(CausalConvTranspose1d(3, 5, 12, 4)).double()
    weight = up.linear.weight.view(12, 5, 3).permute(2, 1, 0)
    expected = torch.nn.functional.conv_transpose1d(channels_first, weight, up.bias, stride=4)
    torch.testing.assert_close(up(x), expected[..., : 40 * 4].transpose(1, 2))

    depthwise = randomize(CausalDepthwiseConv1d(3, 7)).double()
    padded = torch.nn.functional.pad(channels_first, (6, 0))
    expected = torch.nn.functional.conv1d(
        padded, depthwise.weight[:, None], depthwise.bias, groups=3
    )
    torch.testing.assert_close(depthwise(x), expected.transpose(1, 2))


def stream_codec(codec: Codec, audio: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor]:
    """Encodes in chunks of samples, then decodes in chunks of 1, 2, 3, ... frames."""
    state = codec.init_encode_state(audio.shape[0])
    latents = []
    for piece in audio.split(sizes, dim=1):
        part, state = codec.encode_step(piece, state)
        latents.append(part)
    part, _ = codec.encode_step(audio[:, :0], state, flush=True)
    mu = torch.cat([*latents, part], dim=1)
    decode_state = codec.init_decode_state(audio.shape[0])
    outputs, at = [], 0
    for size in range(1, mu.shape[1] + 1):
        if at < mu.shape[1]:
            made, decode_state = codec.decode_step(mu[:, at : at + size], decode_state)
            outputs.append(made)
            at += size
    return mu, torch.cat(outputs, dim=1)[:, : audio.shape[1]]


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 400),
    cuts=st.lists(st.integers(0, 1000), max_size=20),
    whole=st.booleans(),
)
def test_codec_streams_exactly_at_any_length(
    name: str, length: int, cuts: list[int], whole: bool
) -> None:
    torch.manual_seed(1)
    codec = randomize(Codec(CODECS[name])).double()
    audio = torch.randn(2, length, dtype=torch.float64)
    sizes = [length] if whole else partition(length, cuts)
    mu, copy = stream_codec(codec, audio, sizes)
    torch.testing.assert_close(mu, codec.encode(audio), rtol=1e-10, atol=1e-10)
    expected = codec.decode(codec.encode(audio), length).detach()
    torch.testing.assert_close(copy, expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max()))
    assert copy.shape == audio.shape
    assert mu.shape[1] == -(-length // codec.config.hop_length)


def test_a_latent_hears_its_lookahead_and_no_more() -> None:
    config = CODECS["fast, lookahead"]
    codec = randomize(Codec(config)).double()
    audio = torch.randn(1, 6 * config.hop_length, dtype=torch.float64, requires_grad=True)
    for frame in (0, 3):
        (gradient,) = torch.autograd.grad(codec.encode(audio)[0, frame].sum(), audio)
        end = (frame + 1) * config.hop_length + config.lookahead_samples
        assert gradient[0, end:].abs().max() == 0
        assert gradient[0, end - 1].abs() > 0


def test_inverse_stft_equals_torch_where_the_overlap_is_full() -> None:
    head = randomize(IstftHead(3, 32, 8)).double()
    x = torch.randn(1, 20, 3, dtype=torch.float64)
    log_magnitude, phase = head.linear(x).chunk(2, dim=-1)
    spectrum = torch.polar(log_magnitude.clamp(max=5).exp(), phase).transpose(1, 2)
    window = torch.hann_window(32, dtype=torch.float64)
    # torch.istft checks its envelope, which is 0 at the first sample; centring cuts that off.
    expected = torch.istft(spectrum, 32, 8, window=window, center=True)
    torch.testing.assert_close(head(x)[:, 24:, 0], expected[:, 8 : 8 + 136], rtol=1e-6, atol=1e-6)


def test_codec_streams_sample_by_sample_in_float32() -> None:
    codec = Codec(CODEC)
    audio = torch.randn(1, 97)
    mu, copy = stream_codec(codec, audio, [1] * 97)
    torch.testing.assert_close(mu, codec.encode(audio), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(copy, codec.decode(codec.encode(audio), 97), rtol=1e-4, atol=1e-5)


def test_resetting_a_row_leaves_the_others_alone() -> None:
    codec = randomize(Codec(CODEC)).double()
    audio = torch.randn(2, 240, dtype=torch.float64)
    state = codec.init_encode_state(2)
    _, state = codec.encode_step(audio[:, :80], state)
    state = reset_rows(copy_state(state), torch.tensor([True, False]))
    after, _ = codec.encode_step(audio[:, 80:], state)
    torch.testing.assert_close(after[0], codec.encode(audio[:1, 80:])[0])
    torch.testing.assert_close(after[1], codec.encode(audio[1:])[0, 2:])


def test_a_copied_state_is_independent() -> None:
    codec = randomize(Codec(CODEC)).double()
    latents = torch.randn(1, 6, 6, dtype=torch.float64)
    _, state = codec.decode_step(latents[:, :3], codec.init_decode_state(1))
    saved = copy_state(state)
    first, _ = codec.decode_step(latents[:, 3:], state)
    codec.decode_step(torch.randn(1, 2, 6, dtype=torch.float64), state)
    again, _ = codec.decode_step(latents[:, 3:], saved)
    torch.testing.assert_close(first, again)


def test_wrong_chunk_says_so() -> None:
    conv = CausalConv1d(3, 5, 8, 4)
    with pytest.raises(ValueError, match="6 inputs are not a multiple of the stride 4"):
        conv(torch.zeros(1, 6, 3))
    with pytest.raises(ValueError, match="kernel_size 6"):
        CausalConv1d(3, 5, 6, 4)


def test_rows_of_an_encoder_share_the_samples_of_a_frame() -> None:
    codec = Codec(CODEC)
    _, state = codec.encode_step(torch.randn(2, 81), codec.init_encode_state(2))
    with pytest.raises(ConfigError, match="1 of 2 encoder streams cannot start anew"):
        reset_rows(state, torch.tensor([True, False]))
