"""Errors of pitch and of voicing between a recording and its copy.

Both compare two pitch tracks frame by frame, 10 ms apart, and search no delay. The tracker is pYIN
(Mauch and Dixon, 2014) in librosa: it makes the fewest octave errors on speech of the trackers that
we tried, its licence is permissive and it needs no compiler (Praat's library is GPL, WORLD's comes
as source). It decides voicing by a hidden Markov model over pitches from 60 to 600 Hz in steps of
10 cents, so single frames have a quantisation error of up to 5 cents.

N frames, T samples.
"""

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score, package_version, require_packages
from latentspeech.eval.metrics.audio_scorer import AlignedPair, AudioScorer, align_pair
from latentspeech.eval.metrics.librosa_import import import_librosa

SAMPLE_RATE = 16000
HOP_SAMPLES = 160
PITCH_MIN_HZ = 60.0
PITCH_MAX_HZ = 600.0
_FRAME_SAMPLES = 1024
# pYIN keeps a table of all frames by all pitches; this bounds it for long recordings.
_BLOCK_SAMPLES = 30 * SAMPLE_RATE
_CENTS_PER_OCTAVE = 1200.0
_NUM_REMEMBERED = 4


@dataclass(frozen=True)
class PitchTrack:
    """Pitch of each frame in Hz, and whether it is voiced; unvoiced frames have no valid pitch."""

    pitch_hz: NDArray[np.float64]  # (N,)
    voiced: NDArray[np.bool_]  # (N,)


class _PitchScorer(AudioScorer):
    """The base of the two metrics: it computes the tracks of both signals."""

    higher_is_better = False
    held_against = "reference"
    cuts_to_common_length = True

    def prepare(self) -> None:
        """Checks the package."""
        require_packages(self.name, {"librosa": "librosa"})

    def describe(self) -> dict[str, Any]:
        """Describes the tracker, its range and how lengths are treated."""
        return {
            "metric": self.name,
            "model": f"pYIN, {PITCH_MIN_HZ:g} to {PITCH_MAX_HZ:g} Hz, every 10 ms",
            "sample_rate": SAMPLE_RATE,
            "package": package_version("librosa"),
            "lengths": "both cut to the common length; no delay is searched",
            "aggregation": "mean over utterances",
        }

    def _tracks(
        self, reference: Tensor | None, hypothesis: Tensor, sample_rate: int
    ) -> tuple[AlignedPair, PitchTrack, PitchTrack]:
        self.prepare()
        pair = align_pair(self.name, reference, hypothesis, sample_rate)
        clean, tested = (
            track_pitch(resample(audio, sample_rate, SAMPLE_RATE))
            for audio in (pair.reference, pair.hypothesis)
        )
        if not clean.voiced.any():
            raise InputError(
                f"reference audio has no voiced frame in {pair.details['duration_s']:.3f} s; "
                f"{self.name} expects speech in it"
            )
        return pair, clean, tested


class LogF0Error(_PitchScorer):
    """Root mean square of the difference of log pitch, over frames voiced in both."""

    name = "F0-RMSE"
    unit = "cents"

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Scores one pair; InputError if no frame is voiced in both signals."""
        pair, clean, tested = self._tracks(reference, hypothesis, sample_rate)
        both = clean.voiced & tested.voiced
        if not both.any():
            raise InputError(
                f"no frame is voiced in both recordings; {self.name} is undefined for them"
            )
        ratio = tested.pitch_hz[both] / clean.pitch_hz[both]
        cents = _CENTS_PER_OCTAVE * np.log2(ratio)  # (frames voiced in both,)
        details = {
            **pair.details,
            "num_frames": int(both.sum()),
            "median_cents": float(np.median(cents)),
        }
        return Score(math.sqrt(float(np.square(cents).mean())), details)


class VoicingError(_PitchScorer):
    """Percentage of frames that are voiced in only one of the two signals."""

    name = "Voicing"
    unit = "%"

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Scores one pair; all frames of a silent hypothesis count as unvoiced."""
        pair, clean, tested = self._tracks(reference, hypothesis, sample_rate)
        details = {
            **pair.details,
            "num_frames": len(clean.voiced),
            "num_lost": int((clean.voiced & ~tested.voiced).sum()),
            "num_added": int((~clean.voiced & tested.voiced).sum()),
        }
        wrong = details["num_lost"] + details["num_added"]
        return Score(100.0 * wrong / len(clean.voiced), details)


# The two metrics ask for the same tracks one after the other, and nearly all time goes to tracking.
_remembered: OrderedDict[bytes, PitchTrack] = OrderedDict()


def track_pitch(audio: Tensor) -> PitchTrack:
    """Returns the pitch of audio (T,) at 16 kHz; N = 1 + T // 160."""
    samples = audio.detach().to(torch.float32).numpy()
    key = hashlib.blake2b(samples.tobytes(), digest_size=16).digest()
    track = _remembered.get(key)
    if track is None:
        track = _remembered[key] = _track(samples)
    _remembered.move_to_end(key)
    if len(_remembered) > _NUM_REMEMBERED:
        _remembered.popitem(last=False)
    return track


def _track(samples: NDArray[np.float32]) -> PitchTrack:
    pitches, voicings = [], []
    for start in range(0, len(samples), _BLOCK_SAMPLES):
        block = samples[start : start + _BLOCK_SAMPLES]
        pitch_hz, voiced = _track_block(block)
        # The last frame of a block is also the first frame of the next block.
        keep = len(voiced) if start + len(block) == len(samples) else len(block) // HOP_SAMPLES
        pitches.append(pitch_hz[:keep])
        voicings.append(voiced[:keep])
    return PitchTrack(np.concatenate(pitches), np.concatenate(voicings))


def _track_block(samples: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if not samples.any():  # pYIN sometimes calls exact zeros voiced
        num_frames = 1 + len(samples) // HOP_SAMPLES
        return np.full(num_frames, np.nan), np.zeros(num_frames, dtype=bool)
    pitch_hz, voiced, _ = import_librosa().pyin(
        samples,
        fmin=PITCH_MIN_HZ,
        fmax=PITCH_MAX_HZ,
        sr=SAMPLE_RATE,
        frame_length=_FRAME_SAMPLES,
        hop_length=HOP_SAMPLES,
    )
    return pitch_hz, voiced
