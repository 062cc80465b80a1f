"""One utterance under test: its audio, what it is held against, and what is known about it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EvalPair:
    """What is None is unknown; a metric that needs it reports this utterance by name."""

    id: str
    hypothesis_path: Path
    reference_path: Path | None = None  # the original of the same utterance
    prompt_path: Path | None = None  # the recording that gave the voice
    codec_prompt_path: Path | None = None  # the codec's copy of that recording
    transcript: str | None = None  # of the whole hypothesis, prefix included
    speaker: str | None = None
    sex: str | None = None
    prefix_s: float = 0.0  # how much of the hypothesis was given, not generated
    compute_s: float | None = None  # time taken to make the hypothesis
    first_audio_s: float | None = None  # time until its first samples
