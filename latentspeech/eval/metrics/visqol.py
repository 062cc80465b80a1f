"""ViSQOL: perceptual similarity as a MOS (Chinen et al., 2020, arXiv 2004.09584), `visqol-python`.

Three metrics share this name. Speech mode works at 16 kHz on stretches with voice. Audio mode works
at 48 kHz and maps to a MOS by a regression trained on music. Speech mode again has two mappings:
the polynomial of ViSQOL up to 3.2, stretched so that a copy scores 5, and the lattice network that
is the default since 3.3. By default the package takes whichever of the two is installed; here the
mapping is part of the metric's name. The paper's table has a 4.91, which only the polynomial can
give.

The package finds the delay of the copy itself. Its time grows faster than the length, so pairs
over 30 s are split into equal blocks of at most 30 s and the blocks' values are averaged; up to
30 s the value is the package's own.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.audio.signal_check import is_silent
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.eval.scorer import Score, package_version, require_packages
from latentspeech.eval.metrics.audio_scorer import AudioScorer, align_pair, measure_blocks

MAX_BLOCK_S = 30.0


@dataclass(frozen=True)
class VisqolMode:
    """One of the metrics; `copy_score` is the score of a recording compared with itself."""

    name: str
    model: str
    sample_rate: int
    copy_score: str
    packages: dict[str, str]
    options: dict[str, Any]


_PACKAGE = {"visqol": "visqol-python"}
MODES = {
    "speech": VisqolMode(
        name="ViSQOL-speech",
        model="ViSQOL speech mode, polynomial mapping",
        sample_rate=16000,
        copy_score="5.0",
        packages=_PACKAGE,
        options={"mode": "speech", "use_lattice_model": False},
    ),
    "speech-lattice": VisqolMode(
        name="ViSQOL-speech-lattice",
        model="ViSQOL speech mode, lattice mapping (default of ViSQOL 3.3)",
        sample_rate=16000,
        copy_score="4.2 to 4.8, by recording",
        packages={**_PACKAGE, "ai_edge_litert": "ai-edge-litert"},
        options={"mode": "speech", "use_lattice_model": True},
    ),
    "audio": VisqolMode(
        name="ViSQOL-audio",
        model="ViSQOL audio mode, support vector regression",
        sample_rate=48000,
        copy_score="4.732",
        packages={**_PACKAGE, "libsvm": "libsvm-official"},
        options={"mode": "audio"},
    ),
}


class Visqol(AudioScorer):
    """ViSQOL in one of MODES."""

    unit = "MOS-LQO"
    higher_is_better = True
    held_against = "reference"
    cuts_to_common_length = True

    def __init__(self, mode: str = "speech") -> None:
        if mode not in MODES:
            raise ConfigError(f"unknown ViSQOL mode {mode!r}; choose from {', '.join(MODES)}")
        self.mode = MODES[mode]
        self.name = self.mode.name

    def prepare(self) -> None:
        """Loads the mapping."""
        require_packages(self.name, self.mode.packages)
        _ = self._visqol

    def describe(self) -> dict[str, Any]:
        """Describes mode, mapping, sample rate, score of a copy, and how lengths are treated."""
        return {
            "metric": self.name,
            "model": self.mode.model,
            "sample_rate": self.mode.sample_rate,
            "copy_of_itself": self.mode.copy_score,
            "package": package_version("visqol-python"),
            "lengths": "both cut to the common length; over 30 s the mean of equal blocks",
            "aggregation": "mean over utterances",
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Scores one pair; InputError for a silent hypothesis, for which ViSQOL is undefined."""
        self.prepare()
        pair = align_pair(self.name, reference, hypothesis, sample_rate)
        rate = self.mode.sample_rate
        clean = resample(pair.reference, sample_rate, rate)
        tested = resample(pair.hypothesis, sample_rate, rate)
        values = measure_blocks(clean, tested, MAX_BLOCK_S * rate, self._measure)
        details = {**pair.details, "num_blocks": len(values)}
        return Score(math.fsum(values) / len(values), details)

    def _measure(self, reference: Tensor, hypothesis: Tensor) -> float:
        if is_silent(hypothesis):
            raise InputError(f"hypothesis audio is silent; {self.name} is undefined for it")
        clean, tested = reference.double().numpy(), hypothesis.double().numpy()
        try:
            value = self._visqol.measure_from_arrays(clean, tested, self.mode.sample_rate).moslqo
        except (ValueError, IndexError) as error:  # IndexError: no stretch has voice in it
            duration_s = len(clean) / self.mode.sample_rate
            raise InputError(
                f"{self.name} found too little to compare in {duration_s:.3f} s ({error}); "
                "expected about 1 s of speech"
            ) from None
        if not math.isfinite(value):
            raise InputError(f"{self.name} is not finite for this pair; expected audible speech")
        return float(value)

    @cached_property
    def _visqol(self) -> Any:
        from visqol import VisqolApi

        visqol = VisqolApi()
        visqol.create(**self.mode.options)
        return visqol
