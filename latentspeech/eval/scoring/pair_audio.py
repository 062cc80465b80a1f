"""The audio of one pair as each scorer needs it: hypothesis and partner, without prefix, one rate.

The partner is the recording that the hypothesis is compared with. Both signals are read at the
partner's rate, or at the hypothesis' own if there is no partner; the scorer resamples further. If a
scorer excludes the given prefix of a continuation, the prefix is removed from the hypothesis and
from a reference of the same utterance. If the prompt is the reference recording itself, the partner
is its first `prefix_s` seconds, which are all that the model was given.
"""

from pathlib import Path

import soundfile
from torch import Tensor

from latentspeech.audio.io import audio_duration_s, load_audio
from latentspeech.core.errors import InputError
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.metrics.delay import estimate_delay_s
from latentspeech.eval.scoring.pair import EvalPair

PARTNERS = {
    "reference": "a reference recording",
    "prompt": "the prompt recording",
    "codec_prompt": "the codec's copy of the prompt",
}


class PairAudio:
    """Reads each file of one pair once, when a metric asks for it."""

    def __init__(self, pair: EvalPair) -> None:
        self._pair = pair
        self._read: dict[tuple[Path, int], Tensor] = {}
        self._delays: dict[int, float | None] = {}

    def heard_by(self, scorer: AudioScorer) -> tuple[Tensor | None, Tensor, int]:
        """Returns (the partner or None, hypothesis, sample rate of both)."""
        other = held_against_path(self._pair, scorer)
        rate = _native_rate(self._pair.hypothesis_path if other is None else other)
        excluded = scorer.prefix == "excluded"
        # The partner first: if both files are missing, its absence gives the clearer message.
        partner = None if other is None else self._load(other, rate)
        hypothesis = self._load(self._pair.hypothesis_path, rate)
        if excluded:
            hypothesis = self._without_prefix("hypothesis", hypothesis, rate)
        if partner is not None and excluded and scorer.held_against == "reference":
            partner = self._without_prefix("reference", partner, rate)
        if partner is not None and self._prompt_is_prefix(scorer):
            partner = partner[: round(self._pair.prefix_s * rate)]
        return partner, hypothesis, rate

    def delay_s(self, scorer: AudioScorer) -> float | None:
        """Returns how much later the hypothesis is than the partner; `estimate_delay_s`."""
        partner, hypothesis, rate = self.heard_by(scorer)
        if partner is None:
            return None
        if rate not in self._delays:
            self._delays[rate] = estimate_delay_s(partner, hypothesis, rate)
        return self._delays[rate]

    def generated_s(self) -> float:
        """Returns the length of the hypothesis without its given prefix."""
        return audio_duration_s(self._pair.hypothesis_path) - self._pair.prefix_s

    def _prompt_is_prefix(self, scorer: AudioScorer) -> bool:
        pair = self._pair
        same = pair.prompt_path is not None and pair.prompt_path == pair.reference_path
        return scorer.held_against == "prompt" and same and pair.prefix_s > 0

    def _without_prefix(self, role: str, audio: Tensor, rate: int) -> Tensor:
        """(T,) -> (T - prefix,)."""
        start = round(self._pair.prefix_s * rate)
        if start >= len(audio):
            raise InputError(
                f"{role} audio lasts {len(audio) / rate:.3f} s; expected more than its given "
                f"prefix of {self._pair.prefix_s:g} s"
            )
        return audio[start:]

    def _load(self, path: Path, sample_rate: int) -> Tensor:
        key = (path, sample_rate)
        if key not in self._read:
            self._read[key] = load_audio(path, sample_rate)
        return self._read[key]


def held_against_path(pair: EvalPair, scorer: AudioScorer) -> Path | None:
    """Returns the file that the scorer compares with; None for "nothing".

    Raises:
        InputError: the pair lacks that file.
    """
    if scorer.held_against == "nothing":
        return None
    path: Path | None = getattr(pair, f"{scorer.held_against}_path")
    if path is None:
        what = PARTNERS[scorer.held_against]
        raise InputError(f"{scorer.name} compares with {what}; none was given")
    return path


def _native_rate(path: Path) -> int:
    audio_duration_s(path)  # explains a missing or damaged file
    return int(soundfile.info(path).samplerate)
