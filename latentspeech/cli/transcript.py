"""What a recording says, found by Whisper where the [eval] extra is installed."""

import sys
from pathlib import Path


def find_transcript(recording: Path, quiet: bool) -> str | None:
    """What Whisper tiny hears, printed unless quiet; None if it is not installed or hears no word.

    A model that reads the text before the speech copies a voice better if it knows what it says.
    """
    from latentspeech.audio.io import load_audio
    from latentspeech.core.eval.scorer import MetricUnavailable
    from latentspeech.eval.models.recognisers.recogniser import SAMPLE_RATE
    from latentspeech.eval.models.recognisers.whisper import WhisperTiny
    from latentspeech.text.normalizer import normalize

    try:
        heard = WhisperTiny().transcribe(load_audio(recording, SAMPLE_RATE), SAMPLE_RATE)
    except MetricUnavailable:
        return None
    # What it writes for music and noise, dots or notes, holds no word.
    if not any(map(str.isalnum, normalize(heard))):
        return None
    if not quiet:
        print(f"the recording says: {heard} (--prompt-text corrects it)", file=sys.stderr)
    return heard
