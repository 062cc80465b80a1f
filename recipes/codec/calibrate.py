"""Writes a table of what the judges say of known audio, so that their numbers can be read.

    python -m recipes.codec.calibrate --cuts CUTS --out calibration.md

Recordings, the codec's copies of them, and recordings with white noise at 20, 10 and 0 dB are
judged by the metrics that need no reference. The speaker models compare each recording with another
one of the same person, with one of another person, and with its own copy and noisy versions. The
cuts need at least two speakers, and speakers with at least two cuts. The recognisers judge the cuts
that have a text.
"""

import argparse
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import load_codec_module
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError, InputError
from latentspeech.core.storage.files import atomic_path
from latentspeech.core.tensors import make_generator
from latentspeech.data.utterances import load_utterance, read_utterances
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.metrics.catalogue import make_scorers

logger = logging.getLogger(__name__)

METRICS = ("distillmos", "dnsmos", "sim-campplus", "sim-ge2e", "wer-w", "wer-w-base")
NOISE_DB = (20, 10, 0)


class Voice(NamedTuple):
    """A recording, its speaker and its text."""

    audio: Tensor  # (T,)
    speaker: str
    text: str


class Comparison(NamedTuple):
    """One kind of audio: pairs of what is judged and what it is held against."""

    name: str
    pairs: list[tuple[Voice, Voice]]  # judged, held against
    alone: bool  # whether it is judged by metrics that need no reference
    compared: bool = True  # whether it is judged by the others


def comparisons(voices: Sequence[Voice], copies: Sequence[Voice], seed: int) -> list[Comparison]:
    """The rows of the table; a voice whose speaker has no other recording is left out of one."""
    by_speaker = defaultdict(list)
    for voice in voices:
        by_speaker[voice.speaker].append(voice)
    if len(by_speaker) < 2 or max(map(len, by_speaker.values())) < 2:
        raise DataError(
            f"{len(voices)} cuts of {len(by_speaker)} speakers; expected at least two speakers, "
            "one of them with two cuts: give more cuts"
        )
    same, other = [], []
    for own in by_speaker.values():
        same += list(zip(own[1:], own[:-1], strict=True))
    speakers = sorted(by_speaker)
    for number, voice in enumerate(voices):
        place = (speakers.index(voice.speaker) + 1 + number % (len(speakers) - 1)) % len(speakers)
        theirs = by_speaker[speakers[place]]
        other.append((voice, theirs[number % len(theirs)]))
    rows = [
        Comparison("recordings", [(voice, voice) for voice in voices], True, compared=False),
        Comparison("recordings, against another one of the same person", same, False),
        Comparison("recordings, against one of another person", other, False),
        Comparison(
            "copies, against their recordings", list(zip(copies, voices, strict=True)), True
        ),
    ]
    for level in NOISE_DB:
        noisy = [noisy_voice(voice, level, seed, n) for n, voice in enumerate(voices)]
        name = f"white noise {level} dB below, against the recordings"
        rows.append(Comparison(name, list(zip(noisy, voices, strict=True)), True))
    return rows


def noisy_voice(voice: Voice, level_db: float, seed: int, number: int) -> Voice:
    """The recording with white noise at this ratio of powers."""
    noise = torch.randn(voice.audio.shape, generator=make_generator(seed, "calibrate", number))
    gain = voice.audio.norm() / noise.norm() * 10 ** (-level_db / 20)
    return voice._replace(audio=voice.audio + gain * noise)


def cell(scorer: AudioScorer, row: Comparison, sample_rate: int) -> str:
    """A metric's corpus value, and its 5 % to 95 % range where it is a mean; "-" without sense."""
    if not (row.alone if scorer.held_against == "nothing" else row.compared):
        return "-"
    scores = []
    for judged, against in row.pairs:
        if scorer.needs_transcript and not judged.text:
            continue
        reference = None if scorer.held_against == "nothing" else against.audio
        try:
            scores.append(scorer.score(reference, judged.audio, sample_rate, judged.text))
        except InputError as error:
            logger.warning("%s: one pair of '%s' left out: %s", scorer.name, row.name, error)
    if not scores:
        return "-"
    value = scorer.aggregate(scores)
    if scorer.needs_transcript:
        return f"{value:.1f} %"
    values = torch.tensor([score.value for score in scores])
    low, high = torch.quantile(values, torch.tensor([0.05, 0.95])).tolist()
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def read_voices(path: Path, count: int, sample_rate: int) -> list[Voice]:
    """The first `count` cuts of a file."""
    return [
        Voice(load_utterance(utterance, sample_rate), utterance.speaker, utterance.text)
        for utterance in read_utterances(path)[:count]
    ]


def copies_of(codec: Codec, voices: Sequence[Voice]) -> list[Voice]:
    """The codec's copies, from the posterior's means."""
    with torch.inference_mode():
        return [
            voice._replace(audio=codec.decode(codec.encode(voice.audio[None]), len(voice.audio))[0])
            for voice in voices
        ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cuts", type=Path, required=True, help="lhotse cuts with speakers")
    parser.add_argument("--count", type=int, default=60, help="how many of them (default 60)")
    parser.add_argument("--metrics", default=",".join(METRICS), help="default: %(default)s")
    parser.add_argument(
        "--codec", type=Path, default=Path("latentspeech/models/codec"), help="default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    arguments = parser.parse_args()
    codec = load_codec_module(arguments.codec).eval()
    rate = codec.config.sample_rate
    voices = read_voices(arguments.cuts, arguments.count, rate)
    scorers = make_scorers(arguments.metrics.split(","))
    for scorer in scorers:
        scorer.prepare()
    rows = comparisons(voices, copies_of(codec, voices), arguments.seed)
    lines = [
        f"| audio | {' | '.join(scorer.name for scorer in scorers)} |",
        "|---" * (len(scorers) + 1) + "|",
    ]
    for row in rows:
        logger.info("judging %s", row.name)
        cells = [cell(scorer, row, rate) for scorer in scorers]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    with atomic_path(arguments.out) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_recipe(main)
