"""A small corpus of tones on disk with its cuts, for the tests of the data package."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

SAMPLE_RATE = 16_000


class Corpus(NamedTuple):
    cuts: Path
    audio: dict[str, Path]  # cut id -> file
    samples: dict[str, np.ndarray]  # cut id -> int16


def _write(folder: Path, lengths: list[int], speakers: int = 2) -> Corpus:
    rng = np.random.default_rng(0)
    cuts, audio, samples = [], {}, {}
    for number, length in enumerate(lengths):
        name = f"utt-{number}"
        tone = np.sin(np.arange(length) * (0.02 + 0.01 * number)) + 0.2 * rng.standard_normal(
            length
        )
        samples[name] = (tone * 8000).astype(np.int16)
        audio[name] = folder / f"{name}.wav"
        soundfile.write(audio[name], samples[name], SAMPLE_RATE)
        recording = Recording.from_file(audio[name], recording_id=name)
        spoken = SupervisionSegment(
            id=name,
            recording_id=name,
            start=0,
            duration=recording.duration,
            text=f"text of {number}",
            speaker=f"speaker-{number % speakers}",
        )
        cuts.append(
            MonoCut(
                id=name,
                start=0,
                duration=recording.duration,
                channel=0,
                recording=recording,
                supervisions=[spoken],
            )
        )
    path = folder / "cuts_train.jsonl.gz"
    CutSet.from_cuts(cuts).to_file(path)
    return Corpus(path, audio, samples)


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Corpus]:
    """Writes a corpus with utterances of these lengths in samples at 16 kHz."""
    return lambda lengths, speakers=2: _write(tmp_path, lengths, speakers)
