"""Finds what a recording says, by Whisper, where the [eval] extra is installed."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def find_transcript(audio: "NDArray[np.float32]", sample_rate: int, quiet: bool) -> str | None:
    """The text that Whisper tiny hears in samples (T,); None if it is missing or hears no word.

    The text is printed unless `quiet`. A model that reads the text before the speech copies a voice
    better if it has the prompt's text.
    """
    from latentspeech.core.extras import is_installed

    if not is_installed("torch"):  # which [eval] brings
        return None
    import torch

    from latentspeech.audio.resampling import resample_array
    from latentspeech.core.eval.scorer import MetricUnavailable
    from latentspeech.eval.models.recognisers.recogniser import SAMPLE_RATE
    from latentspeech.eval.models.recognisers.whisper import WhisperTiny
    from latentspeech.text.normalizer import normalize

    speech = resample_array(audio, sample_rate, SAMPLE_RATE)
    try:
        heard = WhisperTiny().transcribe(torch.from_numpy(speech), SAMPLE_RATE)
    except MetricUnavailable:
        return None
    # For music and noise it writes dots or notes, which hold no word.
    if not any(map(str.isalnum, normalize(heard))):
        return None
    if not quiet:
        print(f"the recording says: {heard} (--prompt-text corrects it)", file=sys.stderr)
    return heard
