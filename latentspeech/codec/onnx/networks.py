"""The graphs of the codec's encoders and decoders, layer by layer as their torch modules have them.

The graphs hold the learned layers. The Fourier transforms and the source of pulses have no weights;
numpy computes them (spectra.py, harmonics.py).

B batch, T inputs, D latent dimension.
"""

from latentspeech.codec.config import (
    ConvNeXtConfig,
    HarmonicDecoderConfig,
    IstftDecoderConfig,
    StftEncoderConfig,
)
from latentspeech.codec.onnx.stream_graph import (
    StreamGraph,
    conv,
    conv_transpose,
    linear,
    stage,
)
from latentspeech.core.storage.weights import Weights


def convnext_encoder(config: ConvNeXtConfig, weights: Weights, latent_dim: int) -> StreamGraph:
    """Samples (B, T, 1) -> y_0, means (B, T / hop, D)."""
    graph, widths, layers = (
        StreamGraph("encoder", 1),
        config.channels,
        weights.part("layers.layers"),
    )
    kernel, factor = config.kernel_size, config.ffn_factor
    x = conv(graph, graph.x, layers.part("0"), 1, widths[0], kernel, 1)
    for i, stride in enumerate(config.strides):
        of_stage, of_conv = layers.part(f"{1 + 2 * i}"), layers.part(f"{2 + 2 * i}")
        x = stage(graph, x, of_stage, widths[i], config.depths[i], kernel, factor)
        x = conv(graph, x, of_conv, widths[i], widths[i + 1], 2 * stride, stride)
    last = 1 + 2 * len(config.strides)
    x = stage(graph, x, layers.part(f"{last}"), widths[-1], config.depths[-1], kernel, factor)
    x = conv(graph, x, layers.part(f"{last + 1}"), widths[-1], latent_dim, kernel, 1)
    graph.output("y_0", x)
    return graph


def stft_encoder(
    config: StftEncoderConfig, weights: Weights, num_features: int, latent_dim: int
) -> StreamGraph:
    """Features of frames (B, N, F + Q) -> y_0, means (B, N / downsampling, D)."""
    graph, layers = StreamGraph("encoder", num_features), weights.part("layers.layers")
    narrow, wide, step = config.frame_channels, config.latent_channels, config.downsampling
    kernel, factor = config.kernel_size, config.ffn_factor
    x = linear(graph, graph.x, layers.part("1"), narrow, num_features)
    x = stage(graph, x, layers.part("2"), narrow, config.frame_depth, kernel, factor)
    x = conv(graph, x, layers.part("3"), narrow, wide, step, step)
    x = stage(graph, x, layers.part("4"), wide, config.latent_depth, kernel, factor)
    graph.output("y_0", conv(graph, x, layers.part("5"), wide, latent_dim, kernel, 1))
    return graph


def convnext_decoder(config: ConvNeXtConfig, weights: Weights, latent_dim: int) -> StreamGraph:
    """Latents (B, T, D) -> y_0, samples (B, T hop, 1)."""
    graph, widths = StreamGraph("decoder", latent_dim), config.channels
    layers = weights.part("layers.layers")
    kernel, factor = config.kernel_size, config.ffn_factor
    x = conv(graph, graph.x, layers.part("0"), latent_dim, widths[-1], kernel, 1)
    for place, i in enumerate(reversed(range(len(config.strides)))):
        of_stage, of_conv = layers.part(f"{1 + 2 * place}"), layers.part(f"{2 + 2 * place}")
        stride, width = config.strides[i], widths[i + 1]
        x = stage(graph, x, of_stage, width, config.depths[i + 1], kernel, factor)
        x = conv_transpose(graph, x, of_conv, width, widths[i], 2 * stride, stride)
    last = 1 + 2 * len(config.strides)
    x = stage(graph, x, layers.part(f"{last}"), widths[0], config.depths[0], kernel, factor)
    graph.output("y_0", conv(graph, x, layers.part(f"{last + 1}"), widths[0], 1, kernel, 1))
    return graph


def istft_decoder(config: IstftDecoderConfig, weights: Weights, latent_dim: int) -> StreamGraph:
    """Latents (B, T, D) -> y_0, log magnitudes and phases of frames (B, N, 2 F)."""
    graph = StreamGraph("decoder", latent_dim)
    x = _frame_features(graph, config, weights, latent_dim)
    size = 2 * (config.window_length // 2 + 1)
    of_head = weights.part("layers.layers.4.linear")
    graph.output("y_0", linear(graph, x, of_head, size, config.frame_channels))
    return graph


def harmonic_decoder(
    config: HarmonicDecoderConfig, weights: Weights, latent_dim: int
) -> StreamGraph:
    """Latents (B, T, D) -> y_0 the logits of pitch, y_1 filter and y_2 free spectrum of frames.

    Filter and free spectrum are log magnitudes and phases (B, N, 2 F).
    """
    graph = StreamGraph("decoder", latent_dim)
    x = _frame_features(graph, config, weights, latent_dim)
    narrow, size = config.frame_channels, 2 * (config.window_length // 2 + 1)
    pitch = linear(graph, x, weights.part("pitch_logits"), config.pitch.bins + 1, narrow)
    graph.output("y_0", pitch)
    graph.output("y_1", linear(graph, x, weights.part("filter"), size, narrow))
    graph.output("y_2", linear(graph, x, weights.part("head.linear"), size, narrow))
    return graph


def _frame_features(
    graph: StreamGraph, config: IstftDecoderConfig, weights: Weights, latent_dim: int
) -> str:
    """Latents (B, T, D) -> features of frames (B, N, frame_channels)."""
    layers, wide, narrow = (
        weights.part("layers.layers"),
        config.latent_channels,
        config.frame_channels,
    )
    kernel, factor, rate = config.kernel_size, config.ffn_factor, config.upsampling
    x = conv(graph, graph.x, layers.part("0"), latent_dim, wide, kernel, 1)
    x = stage(graph, x, layers.part("1"), wide, config.latent_depth, kernel, factor)
    x = conv_transpose(graph, x, layers.part("2"), wide, narrow, rate, rate)
    return stage(graph, x, layers.part("3"), narrow, config.frame_depth, kernel, factor)
