"""WER: word error rate of what a recogniser hears, pooled over the corpus.

The value is (substitutions + deletions + insertions) / reference words, both summed over all
utterances, as in the paper and most of the field. Reported beside it are the mean of the
utterances' own rates (F5-TTS reports that one) and the counts under the other text normaliser, from
the same recognition. Each recogniser is its own metric: WER-W, WER-H, WER-C, WER-C-SB.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from latentspeech.core.device import CPU
from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score, package_version, require_packages
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.metrics.text_normalisers import NORMALISERS, TextNormaliser, check_normaliser
from latentspeech.eval.models.recognisers.load import load_recogniser, recogniser_class
from latentspeech.eval.models.recognisers.recogniser import Recogniser

_KINDS = ("substitutions", "deletions", "insertions", "reference_words")


class WordErrorRate(AudioScorer):
    """WER in percent; insertions can take it past 100.

    Args:
        recogniser: one of `recognisers.load.RECOGNISERS`.
        normaliser: "whisper" or "librispeech", for the value; the other is reported beside it.
        device: where the recogniser computes; "whisper" always computes on the CPU.
    """

    unit = "%"
    higher_is_better = False
    needs_transcript = True
    prefix: Literal["included", "excluded"] = "included"  # the transcript covers the prefix too

    def __init__(
        self,
        recogniser: str = "whisper",
        normaliser: str = "whisper",
        device: torch.device = CPU,
    ) -> None:
        self.name = recogniser_class(recogniser).metric
        self._recogniser_name = recogniser
        self.device = device
        self._names = [check_normaliser(normaliser)]
        self._names += [name for name in NORMALISERS if name != normaliser]
        if normaliser != "whisper":
            self.name += f"-{normaliser}"

    def prepare(self) -> None:
        """Loads the normalisers and the recogniser."""
        self._prepare_texts()
        self._recogniser.prepare()

    def describe(self) -> dict[str, Any]:
        """Describes recogniser, decoding, normalisers, aligner and pooling."""
        described = self._recogniser.describe()
        primary, *others = (normaliser.describe() for normaliser in self._normalisers)
        described["package"] = f"{described['package']}, {package_version('jiwer')}"
        return {
            "metric": self.name,
            **described,
            "normaliser": primary,
            "normalisers_beside": others,
            "prefix": self.prefix,
            "silence": "a silent hypothesis is heard as no words",
            "aggregation": "pooled errors / pooled reference words",
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Scores one utterance; `reference` is not used."""
        expected = self._expected(transcript)
        return self._compare(expected, self.transcribe(hypothesis, sample_rate))

    def transcribe(self, audio: Tensor, sample_rate: int) -> str:
        """Returns what the recogniser hears in `audio` (T,); "" for silence."""
        return self._recogniser.transcribe(audio, sample_rate)

    def compare(self, transcript: str, recognised: str) -> Score:
        """Aligns two texts under each normaliser; the value is that of the primary normaliser."""
        return self._compare(self._expected(transcript), recognised)

    def terms(self, score: Score) -> tuple[float, float]:
        """Returns 100 * errors and the number of words, under the primary normaliser, to pool."""
        return 100.0 * _errors(score.details), score.details["reference_words"]

    def totals(self, scores: Sequence[Score]) -> dict[str, int]:
        """Returns the corpus counts; keys of another normaliser begin with its name."""
        counts = {kind: sum(score.details[kind] for score in scores) for kind in _KINDS}
        for name in self._names[1:]:
            for kind in _KINDS:
                counts[f"{name}_{kind}"] = sum(score.details[name][kind] for score in scores)
        return counts

    def beside(self, scores: Sequence[Score]) -> dict[str, float]:
        """Returns the other corpus numbers: mean of the rates, and WER by other normalisers."""
        found = {"mean_of_utterances": math.fsum(score.value for score in scores) / len(scores)}
        for name in self._names[1:]:
            counts = [score.details[name] for score in scores]
            num_words = sum(count["reference_words"] for count in counts)
            if num_words:
                found[f"pooled_{name}"] = 100.0 * sum(map(_errors, counts)) / num_words
        return found

    def _expected(self, transcript: str | None) -> list[str]:
        """The transcript under each normaliser, the primary first."""
        if transcript is None:
            raise InputError(f"{self.name} compares with a transcript; none was given")
        self._prepare_texts()
        texts = [normaliser(transcript) for normaliser in self._normalisers]
        # Whisper's normaliser turns "hmm ..." into a dot, which is not a word either.
        if not any(char.isalnum() for char in texts[0]):
            raise InputError(
                f"transcript {transcript!r} has no words after normalising ({self._names[0]})"
            )
        return texts

    def _compare(self, expected: list[str], recognised: str) -> Score:
        heard = [normaliser(recognised) for normaliser in self._normalisers]
        first, *others = (count_errors(*texts) for texts in zip(expected, heard, strict=True))
        details = {**first, **dict(zip(self._names[1:], others, strict=True))}
        details["recognised"] = recognised
        return Score(100.0 * _errors(first) / first["reference_words"], details)

    def _prepare_texts(self) -> None:
        require_packages(self.name, {"jiwer": "jiwer"})
        for normaliser in self._normalisers:
            normaliser.prepare(self.name)

    @cached_property
    def _normalisers(self) -> list[TextNormaliser]:
        return [NORMALISERS[name]() for name in self._names]

    @cached_property
    def _recogniser(self) -> Recogniser:
        return load_recogniser(self._recogniser_name, self.device)


def _errors(counts: Mapping[str, Any]) -> int:
    """Substitutions, deletions and insertions of an alignment."""
    return sum(counts[kind] for kind in _KINDS[:3])


def count_errors(expected: str, heard: str) -> dict[str, Any]:
    """Aligns two normalised texts by jiwer and counts each kind of error."""
    import jiwer

    if not expected:  # jiwer refuses an empty text; every heard word is an insertion
        kinds = (0, 0, len(heard.split()), 0)
    else:
        aligned = jiwer.process_words(expected, heard)
        num_words = aligned.hits + aligned.substitutions + aligned.deletions
        kinds = (aligned.substitutions, aligned.deletions, aligned.insertions, num_words)
    return {**dict(zip(_KINDS, kinds, strict=True)), "expected": expected, "heard": heard}
