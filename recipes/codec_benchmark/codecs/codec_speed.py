"""How fast a codec runs here: seconds computed per second of audio, encoding and decoding.

Each codec and one fixed anchor, Encodec's network with random weights, are timed alternately, so
that a busy machine slows both alike: read the ratio to the anchor before the absolute number. Whole
utterances are timed one at a time after a warm-up, and medians are reported.

T samples.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from latentspeech.core.tensors import make_generator
from recipes.codec_benchmark.codecs.contract import CodecAdapter

LOUDNESS = 0.1


@dataclass(frozen=True)
class CodecSpeed:
    """Medians over the repeats, on `num_threads` threads of this machine."""

    num_threads: int
    seconds: float  # length of the audio
    repeats: int
    encode_rtf: float  # seconds computed per second of audio
    decode_rtf: float
    encode_x_anchor: float | None  # times as fast as the anchor's encoder in the same repeats
    decode_x_anchor: float | None


@dataclass
class _Times:
    encode_s: list[float]
    decode_s: list[float]


@torch.inference_mode()
def measure_speed(
    codec: CodecAdapter,
    anchor: CodecAdapter | None,
    num_threads: int,
    seconds: float = 2.0,
    repeats: int = 3,
) -> CodecSpeed:
    """Times `codec` beside `anchor`; the number of torch's threads is put back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        contestants = [codec] if anchor is None else [anchor, codec]
        for contestant in contestants:
            _time_once(contestant, seconds)  # warm-up
        times = [_Times([], []) for _ in contestants]
        for _ in range(repeats):
            for contestant, found in zip(contestants, times, strict=True):
                encode_s, decode_s = _time_once(contestant, seconds)
                found.encode_s.append(encode_s)
                found.decode_s.append(decode_s)
    finally:
        torch.set_num_threads(before)
    own, other = times[-1], None if anchor is None else times[0]
    return CodecSpeed(
        num_threads,
        seconds,
        repeats,
        encode_rtf=statistics.median(own.encode_s) / seconds,
        decode_rtf=statistics.median(own.decode_s) / seconds,
        encode_x_anchor=None if other is None else _ratio(other.encode_s, own.encode_s),
        decode_x_anchor=None if other is None else _ratio(other.decode_s, own.decode_s),
    )


def _time_once(codec: CodecAdapter, seconds: float) -> tuple[float, float]:
    """(seconds to encode, seconds to decode) for seeded noise."""
    num_samples = int(codec.sample_rate * seconds)
    noise = torch.randn(num_samples, generator=make_generator(0, "codec speed"))  # (T,)
    encode_s, codes = _timed(lambda: codec.encode(LOUDNESS * noise))
    decode_s, _ = _timed(lambda: codec.decode(codes, num_samples))
    return encode_s, decode_s


def _timed(call: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def _ratio(anchor: list[float], own: list[float]) -> float:
    """The median over the repeats of the ratio in each."""
    return statistics.median(first / second for first, second in zip(anchor, own, strict=True))
