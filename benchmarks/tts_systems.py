"""One text-to-speech system in a process of its own, so that its memory is its own too.

    python -m benchmarks.tts_systems ours SETTINGS        (fields of Ours as JSON)
    python -m benchmarks.tts_systems pocket SETTINGS      (fields of Pocket as JSON)

benchmarks/tts_speed.py starts it. It writes one JSON object a line: when its imports are done, when
the model is loaded and when the voice is ready; then the sentence is spoken, in chunks of one
frame, for every line that comes in, and what that took is written.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor, nn

MB = 1e6


class Ours(NamedTuple):
    """A model directory or name, the voice by name or file or else by recording, and the text."""

    model: str | None
    voice: str | None
    prompt: str | None
    prompt_text: str | None
    text: str
    threads: int


class Pocket(NamedTuple):
    """A config of benchmarks/pocket_model.py, and how long prompt and sentence last."""

    config: str
    prompt_s: float
    audio_s: float
    text: str
    threads: int


class System(NamedTuple):
    """Ready to speak."""

    speak: Callable[[], "Iterator[Tensor]"]  # yields (n,)
    sample_rate: int
    about: dict[str, float]


class Turn(NamedTuple):
    """The sentence spoken once."""

    seconds: float
    first_audio_s: float
    audio_s: float


def say(stage: str, **values: float) -> None:
    """One line for the process that listens."""
    print(json.dumps({"stage": stage, **values}), flush=True)


def peak_mb() -> float:
    """The most memory that this process held at once (Linux).

    Not getrusage: after a fork it starts from what the parent held.
    """
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 / MB


def load_ours(settings: Ours) -> System:
    """As `latentspeech synth` does: one thread writes, one decodes, each alone."""
    import torch

    from latentspeech.tts.models import load

    torch.set_num_threads(1)
    say("imported")
    speaker = load(settings.model)
    say("loaded")
    if settings.voice is not None:
        voice = speaker.voice(settings.voice)
    else:
        assert settings.prompt is not None
        voice = speaker.prompt(settings.prompt, settings.prompt_text)
    model = speaker.model
    about = {
        "prompt_s": len(voice.latents) / model.codec.config.frame_rate,
        "parameters_m": _millions(model.lm) + _millions(model.codec),
    }
    return System(lambda: speaker.stream(settings.text, voice), speaker.sample_rate, about)


def load_pocket(settings: Pocket) -> System:
    """Random weights and, as voice, noise of the prompt's length."""
    import pocket_tts  # noqa: F401  sets the number of threads, so it comes first
    import torch

    from benchmarks import pocket_model

    torch.set_num_threads(settings.threads)
    say("imported")
    model = pocket_model.load(Path(settings.config), settings.audio_s)
    say("loaded")
    voice = 0.1 * torch.randn(1, round(settings.prompt_s * model.sample_rate))
    speak = pocket_model.speaker(model, settings.text, voice)
    about = {"prompt_s": settings.prompt_s, "parameters_m": _millions(model)}
    return System(speak, model.sample_rate, about)


def _millions(module: "nn.Module") -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def speak_once(system: System) -> Turn:
    """Times one sentence."""
    start = time.perf_counter()
    first, samples = 0.0, 0
    for chunk in system.speak():
        first = first or time.perf_counter() - start
        samples += len(chunk)
    return Turn(time.perf_counter() - start, first, samples / system.sample_rate)


def serve(system: System) -> None:
    """Speaks once for every line on stdin."""
    say("ready", **system.about)
    for _ in sys.stdin:
        say("spoken", **speak_once(system)._asdict(), peak_mb=peak_mb())


def main() -> None:
    """Runs until stdin ends; what a user can cause is one line and exit code 2."""
    kind, settings = sys.argv[1], json.loads(sys.argv[2])
    try:
        serve(load_ours(Ours(**settings)) if kind == "ours" else load_pocket(Pocket(**settings)))
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
