"""Finds what a recording says, by Whisper, where the [eval] extra is installed."""

import sys
from pathlib import Path


def find_transcript(recording: Path, quiet: bool) -> str | None:
    """The text that Whisper tiny hears; None if it is not installed or hears no word.

    The text is printed unless `quiet`. A model that reads the text before the speech copies a voice
    better if it has the prompt's text.
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
    # For music and noise it writes dots or notes, which hold no word.
    if not any(map(str.isalnum, normalize(heard))):
        return None
    if not quiet:
        print(f"the recording says: {heard} (--prompt-text corrects it)", file=sys.stderr)
    return heard
