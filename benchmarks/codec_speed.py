"""Codec speed on this machine: the default codec against the paper's size, Encodec and Mimi.

    python -m benchmarks.codec_speed [--threads 2] [--seconds 4]

All weights are random, since speed does not depend on them. All codecs are timed alternately in one
run. In the mode `offline` a decoder gets all frames at once. In the mode `frame by frame` ours get
one frame (67 ms) in each call and pass their states on. The decoders of Encodec and Mimi offer no
such step, so each call gets frames of about as much audio (5 of Encodec's, 1 of Mimi's 80 ms) and
keeps no state; that is the least work that they would do.

Prints one JSON object with the goals and, for every row, the seconds of audio computed per second
and its speed relative to each peer in the same mode.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.lib.hardware import describe
from benchmarks.lib.timing import median_seconds
from latentspeech.codec.model import Codec
from latentspeech.codec.presets import codec_preset, default_codec
from recipes.codec_benchmark.codecs.contract import fold_weight_norm

OFFLINE, FRAMES = "offline", "frame by frame"
FAST, MIRRORED, PAPER = "default decoder (harmonic)", "mirrored small decoder", "paper-size decoder"
ENCODER, PAPER_ENCODER = "default encoder", "paper-size encoder"
ENCODEC, MIMI = "Encodec decoder", "Mimi decoder"
PEERS = (PAPER, ENCODEC, MIMI)
ENCODEC_HZ, ENCODEC_FRAMES_A_CALL = 75, 5


class Contestant(NamedTuple):
    """One row: a codec's part, its mode, and the call to time."""

    name: str
    mode: str
    audio_s: float  # seconds of audio that a call decodes or encodes
    call: Callable[[], object]


class Goal(NamedTuple):
    """A ratio of speeds in one mode that must be reached."""

    what: str
    over: str
    mode: str
    at_least: float


GOALS = (
    Goal(FAST, PAPER, OFFLINE, 10.0),
    Goal(FAST, PAPER, FRAMES, 4.0),
    *(Goal(FAST, peer, mode, 1.0) for mode in (OFFLINE, FRAMES) for peer in (ENCODEC, MIMI)),
    Goal(ENCODER, FAST, OFFLINE, 0.5),
    Goal(ENCODER, FAST, FRAMES, 0.5),
)


def our_decoder(name: str, codec: Codec, seconds: float) -> list[Contestant]:
    """Decodes all latents at once, and one latent in each call."""
    frames = max(1, round(codec.config.frame_rate * seconds))
    latents = torch.randn(1, frames, codec.config.latent_dim)
    audio_s = frames / codec.config.frame_rate

    def stream() -> None:
        state = codec.init_decode_state(1)
        for latent in torch.split(latents, 1, dim=1):
            _, state = codec.decode_step(latent, state)

    return [
        Contestant(name, OFFLINE, audio_s, lambda: codec.decode(latents)),
        Contestant(name, FRAMES, audio_s, stream),
    ]


def our_encoder(name: str, codec: Codec, seconds: float) -> list[Contestant]:
    """Encodes all samples at once, and the samples of one latent in each call."""
    hop = codec.config.hop_length
    frames = max(1, round(codec.config.frame_rate * seconds))
    audio = 0.1 * torch.randn(1, frames * hop)
    audio_s = frames / codec.config.frame_rate

    def stream() -> None:
        state = codec.init_encode_state(1)
        for block in torch.split(audio, hop, dim=1):
            _, state = codec.encode_step(block, state)

    return [
        Contestant(name, OFFLINE, audio_s, lambda: codec.encode(audio)),
        Contestant(name, FRAMES, audio_s, stream),
    ]


def encodec_decoder(seconds: float) -> list[Contestant]:
    """The 24 kHz model of the package `encodec` with its weight norm folded in."""
    from encodec import EncodecModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = EncodecModel.encodec_model_24khz(pretrained=False).eval()
    fold_weight_norm(model.decoder)
    calls = max(1, round(seconds * ENCODEC_HZ / ENCODEC_FRAMES_A_CALL))
    embedded = torch.randn(1, model.encoder.dimension, calls * ENCODEC_FRAMES_A_CALL)
    return _peer(ENCODEC, embedded, model.decoder, ENCODEC_FRAMES_A_CALL, ENCODEC_HZ)


def mimi_decoder(seconds: float) -> list[Contestant]:
    """Mimi of the package `transformers` with eight codebooks."""
    from recipes.codec_benchmark.codecs.transformers_codecs import Mimi

    books = 8
    mimi = Mimi(books, random_weights=True)
    frames = max(1, round(seconds * mimi.frame_rate))
    codes = torch.randint(0, 2048, (1, books, frames))

    def decode(some: Tensor) -> Tensor:
        return mimi.decode(some, some.shape[-1] * mimi.hop_length)

    return _peer(MIMI, codes, decode, 1, mimi.frame_rate)


def _peer(
    name: str, frames: Tensor, decode: Callable[[Tensor], object], a_call: int, rate: float
) -> list[Contestant]:
    """Decodes frames (1, ..., F) at once, and `a_call` of them in each call."""

    def stream() -> None:
        for some in torch.split(frames, a_call, dim=-1):
            decode(some)

    audio_s = frames.shape[-1] / rate
    return [
        Contestant(name, OFFLINE, audio_s, lambda: decode(frames)),
        Contestant(name, FRAMES, audio_s, stream),
    ]


def contestants(seconds: float) -> list[Contestant]:
    """All codecs to time, each with about `seconds` of audio."""
    default = Codec(default_codec()).eval()
    mirrored = Codec(default_codec("mirrored")).eval()
    paper = Codec(codec_preset(1600)).eval()
    return [
        *our_decoder(FAST, default, seconds),
        *our_decoder(MIRRORED, mirrored, seconds),
        *our_decoder(PAPER, paper, seconds),
        *encodec_decoder(seconds),
        *mimi_decoder(seconds),
        *our_encoder(ENCODER, default, seconds),
        *our_encoder(PAPER_ENCODER, paper, seconds),
    ]


def measure(seconds: float, repeats: int) -> dict[str, Any]:
    """Measures speeds, their ratios and the goals."""
    everybody = contestants(seconds)
    with torch.inference_mode():
        times = median_seconds({(one.name, one.mode): one.call for one in everybody}, repeats)
    speeds = {(one.name, one.mode): one.audio_s / times[one.name, one.mode] for one in everybody}
    rows = [
        {
            "what": name,
            "mode": mode,
            "x_real_time": round(speed, 2),
            "over": {peer: round(speed / speeds[peer, mode], 2) for peer in PEERS},
        }
        for (name, mode), speed in speeds.items()
    ]
    goals = []
    for goal in GOALS:
        ratio = speeds[goal.what, goal.mode] / speeds[goal.over, goal.mode]
        goals.append(
            {**goal._asdict(), "ratio": round(ratio, 2), "met": bool(ratio >= goal.at_least)}
        )
    return {"rows": rows, "goals": goals}


def main() -> None:
    """Runs the benchmark and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    found = measure(arguments.seconds, arguments.repeats)
    settings = {"seconds": arguments.seconds, "repeats": arguments.repeats}
    print(json.dumps({"hardware": describe(), **settings, **found}, indent=2))


if __name__ == "__main__":
    main()
