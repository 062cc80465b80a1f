"""Codec speed on this machine: our decoders against Encodec's, and the paper size frame by frame.

    python -m benchmarks.codec_speed [--threads 2] [--seconds 4]

All weights are random: speed does not depend on them. Prints one JSON object. `x_real_time` is
seconds of audio a second of computing; ratios are against Encodec's 24 kHz decoder of the `encodec`
package, in the same run.
"""

import argparse
import json
import warnings
from collections.abc import Callable

import torch

from benchmarks.hardware import describe
from benchmarks.timing import median_seconds
from latentspeech.codec.model import Codec
from latentspeech.codec.presets import codec_preset


def stream(codec: Codec, latents: torch.Tensor, chunk_frames: int) -> None:
    """Decodes chunk by chunk."""
    state = codec.init_decode_state(1)
    for piece in latents.split(chunk_frames, dim=1):
        _, state = codec.decode_step(piece, state)


def contestants(seconds: float) -> dict[str, Callable[[], object]]:
    """Everything that is timed, by name, each decoding `seconds` of audio."""
    from encodec import EncodecModel

    calls: dict[str, Callable[[], object]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encodec = EncodecModel.encodec_model_24khz(pretrained=False).eval()
    embedded = torch.randn(1, 128, int(75 * seconds))
    calls["encodec decoder"] = lambda: encodec.decoder(embedded)
    for size in ("mini", "paper"):
        codec = Codec(codec_preset(1600, size)).eval()
        latents = torch.randn(1, int(codec.config.frame_rate * seconds), codec.config.latent_dim)
        audio = torch.randn(1, int(codec.config.sample_rate * seconds))
        calls[f"{size} encode"] = lambda c=codec, a=audio: c.encode(a)
        calls[f"{size} decode"] = lambda c=codec, z=latents: c.decode(z)
        calls[f"{size} decode, 1 frame a call"] = lambda c=codec, z=latents: stream(c, z, 1)
        calls[f"{size} decode, 4 frames a call"] = lambda c=codec, z=latents: stream(c, z, 4)
    return calls


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with torch.inference_mode():
        times = median_seconds(contestants(arguments.seconds), arguments.repeats)
    reference = times["encodec decoder"]
    rows = {
        name: {
            "x_real_time": round(arguments.seconds / time, 2),
            "speed_over_encodec_decoder": round(reference / time, 2),
        }
        for name, time in times.items()
    }
    print(json.dumps({"hardware": describe(), "results": rows}, indent=2))


if __name__ == "__main__":
    main()
