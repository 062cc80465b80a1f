"""One utterance under test: its audio, the audio to compare it with, and what is known about it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EvalPair:
    """None means unknown; a metric that needs the field reports a failure of this utterance."""

    id: str
    hypothesis_path: Path
    reference_path: Path | None = None  # the original of the same utterance
    prompt_path: Path | None = None  # the recording that gave the voice
    codec_prompt_path: Path | None = None  # the codec's copy of that recording
    transcript: str | None = None  # text of the whole hypothesis, prefix included
    speaker: str | None = None
    sex: str | None = None
    prefix_s: float = 0.0  # length at the start of the hypothesis that was given, not generated
    compute_s: float | None = None  # time that it took to make the hypothesis
    first_audio_s: float | None = None  # time until its first samples
