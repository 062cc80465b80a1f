"""The sampling settings with which speech can come out.

A setting far from what a model was trained for gives noise at full scale or gibberish, and no
error. The bounds are wide enough for experiments. docs/voice.md has the word error rates that they
come from.
"""

from typing import NamedTuple

from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.errors import ConfigError


class SpeechRange(NamedTuple):
    """The bounds of a setting, and what to choose from."""

    low: float
    high: float
    useful: str
    beyond: str  # what comes out


SPEECH_RANGES = {
    "cfg_scale": SpeechRange(0.5, 8, "1 to 6", "gibberish or noise"),
    "num_steps": SpeechRange(1, 100, "1 to 20", "no better speech, and it takes longer"),
    "noise_scale": SpeechRange(0, 2, "0.3 to 1.5", "gibberish or noise"),
}


def check_speech_sampling(sampling: LatentSampling) -> None:
    """Raises ConfigError for a setting with which no speech can come out."""
    for name, bounds in SPEECH_RANGES.items():
        value = getattr(sampling, name)
        if not bounds.low <= value <= bounds.high:
            raise ConfigError(
                f"{name} is {value:g}; expected {bounds.low:g} to {bounds.high:g}, useful is "
                f"{bounds.useful}: beyond these bounds there is {bounds.beyond}"
            )
