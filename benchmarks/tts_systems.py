"""Runs one text-to-speech system in its own process, so that its memory is measured separately.

    python -m benchmarks.tts_systems ours SETTINGS        (fields of Ours as JSON)
    python -m benchmarks.tts_systems pocket SETTINGS      (fields of Pocket as JSON)
    python -m benchmarks.tts_systems fixed SETTINGS       (fields of Fixed as JSON)

benchmarks/tts_speed.py starts it. It writes a line with a JSON object when its imports are done,
when the model is loaded and when the voice is ready. Then, for every line on stdin, it speaks the
sentence in chunks of one frame and writes a line with the times.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import nn

MB = 1e6


class Ours(NamedTuple):
    """A model (directory or name), a voice (name or file) or else a prompt, and the text."""

    model: str | None
    voice: str | None
    prompt: str | None
    prompt_text: str | None
    text: str
    threads: int


class Pocket(NamedTuple):
    """A config of lib/pocket_model.py, the lengths of prompt and sentence, and the text."""

    config: str
    prompt_s: float
    audio_s: float
    text: str
    threads: int


class Fixed(NamedTuple):
    """A voice of lib/fixed_voices.py, where it is, and the text."""

    name: str
    place: str | None
    text: str
    threads: int


class System(NamedTuple):
    """A system that is ready to speak."""

    speak: Callable[[], Iterator[Sized]]  # yields (n,)
    sample_rate: int
    about: dict[str, float]


class Turn(NamedTuple):
    """The times of speaking the sentence once."""

    seconds: float
    first_audio_s: float
    audio_s: float
    processor_s: float


def say(stage: str, **values: float) -> None:
    """Writes one line for the parent process."""
    print(json.dumps({"stage": stage, **values}), flush=True)


def peak_mb() -> float:
    """Returns the peak memory of this process (Linux).

    getrusage is not used, since after a fork its peak starts from the memory of the parent.
    """
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 / MB


def load_ours(settings: Ours) -> System:
    """Loads our model as `latentspeech synth` does: one thread writes latents, one decodes them."""
    from latentspeech.codec.model_directory import find_codec
    from latentspeech.tts.models import find_tts, load

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
        "parameters_m": _stored_millions(find_tts(settings.model), find_codec(settings.model)),
    }
    return System(lambda: speaker.stream(settings.text, voice), speaker.sample_rate, about)


def load_pocket(settings: Pocket) -> System:
    """Makes pocket-tts with random weights; its voice is noise of the prompt's length."""
    import pocket_tts  # noqa: F401  sets the number of threads, so it comes first
    import torch

    from benchmarks.lib import pocket_model

    torch.set_num_threads(settings.threads)
    say("imported")
    model = pocket_model.load(Path(settings.config), settings.audio_s)
    say("loaded")
    voice = 0.1 * torch.randn(1, round(settings.prompt_s * model.sample_rate))
    speak = pocket_model.speaker(model, settings.text, voice)
    about = {"prompt_s": settings.prompt_s, "parameters_m": _millions(model)}
    return System(speak, model.sample_rate, about)


def load_fixed(settings: Fixed) -> System:
    """Loads a voice that a package carries."""
    from benchmarks.lib import fixed_voices

    say("imported")
    place = None if settings.place is None else Path(settings.place)
    voice = fixed_voices.open_voice(settings.name, place, settings.threads)
    say("loaded")
    about = {"prompt_s": 0.0, "parameters_m": voice.parameters_m}
    return System(lambda: voice.speak(settings.text), voice.sample_rate, about)


def load(kind: str, settings: dict[str, Any]) -> System:
    """Loads the system of a kind."""
    match kind:
        case "ours":
            return load_ours(Ours(**settings))
        case "pocket":
            return load_pocket(Pocket(**settings))
        case "fixed":
            return load_fixed(Fixed(**settings))
    raise ValueError(f"the kind {kind!r} is not known; known are ours, pocket, fixed")


def _millions(module: "nn.Module") -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def _stored_millions(*directories: Path) -> float:
    """The number of weights in model directories, in millions."""
    from latentspeech.core.storage.model_directory import read_arrays

    sizes = (array.size for path in directories for array in read_arrays(path).values())
    return sum(sizes) / 1e6


def speak_once(system: System) -> Turn:
    """Times one sentence."""
    start, processor = time.perf_counter(), time.process_time()
    first, samples = 0.0, 0
    for chunk in system.speak():
        first = first or time.perf_counter() - start
        samples += len(chunk)
    seconds, processor_s = time.perf_counter() - start, time.process_time() - processor
    return Turn(seconds, first, samples / system.sample_rate, processor_s)


def serve(system: System) -> None:
    """Speaks once for every line on stdin."""
    say("ready", **system.about)
    for _ in sys.stdin:
        say("spoken", **speak_once(system)._asdict(), peak_mb=peak_mb())


def main() -> None:
    """Runs until stdin ends; an error that a user can cause is one line and exit code 2."""
    kind, settings = sys.argv[1], json.loads(sys.argv[2])
    try:
        serve(load(kind, settings))
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
