"""SIM: cosine of two speaker embeddings, for each speaker model and each recording compared with.

SIM-<model> compares with the original of the same utterance (codec copies), SIM-o-<model> with the
original prompt, SIM-r-<model> with the codec's copy of the prompt, which is what a model that reads
codec latents was given (Wang et al., 2023, arXiv 2301.02111). The two recordings may differ in text
and length; neither is trimmed to match the other.

A continuation begins with its own prompt, and scoring these seconds raises the value (for the
original recordings: .905 with them in VALL-E 2, .668 without them in this paper's Table 4). So they
are removed before scoring by default; `prefix="included"` keeps them and adds to the metric's name.
Each model has a scale of its own: only numbers of one model are comparable.
"""

from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from latentspeech.core.device import CPU
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.eval.scorer import Score
from latentspeech.eval.metrics.audio_scorer import AudioScorer, HeldAgainst
from latentspeech.eval.metrics.narrow_band import is_narrow_band
from latentspeech.eval.models.speakers.load import load_speaker_model, speaker_model_class
from latentspeech.eval.models.speakers.speaker_model import SpeakerModel

# held_against -> (prefix of the metric's name, the recording's name in errors)
_KINDS = {
    "reference": ("SIM", "a reference recording"),
    "prompt": ("SIM-o", "the prompt's recording"),
    "codec_prompt": ("SIM-r", "the codec's copy of the prompt"),
}


class SpeakerSimilarity(AudioScorer):
    """Cosine in [-1, 1] ([0, 1] for GE2E); all scorers that name a model share one instance."""

    unit = ""
    higher_is_better = True

    def __init__(
        self,
        model: str = "ge2e",
        held_against: HeldAgainst = "reference",
        prefix: Literal["included", "excluded"] = "excluded",
        device: torch.device = CPU,
    ) -> None:
        if held_against not in _KINDS:
            raise ConfigError(
                f"SIM cannot be held against {held_against!r}; choose from {', '.join(_KINDS)}"
            )
        kind, self._wanted = _KINDS[held_against]
        self._model_name = model
        self.device = device
        self.held_against = held_against
        self.prefix = prefix
        self.name = f"{kind}-{speaker_model_class(model).label}"
        if prefix == "included":
            self.name += "+prefix"

    def prepare(self) -> None:
        """Loads the speaker model."""
        self._model.prepare()

    def describe(self) -> dict[str, Any]:
        """Describes the speaker model, its preparation of the audio and the package."""
        return {
            "metric": self.name,
            **self._model.describe(),
            "held_against": self.held_against,
            "prefix": self.prefix,
            "lengths": "each in full",
            "aggregation": "mean over utterances",
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Scores one pair: the cosine of both embeddings; `held_against` names the reference."""
        if reference is None:
            raise InputError(f"{self.name} compares with {self._wanted}; none was given")
        target = self._model.embed("reference", reference, sample_rate)
        found = self._model.embed("hypothesis", hypothesis, sample_rate)
        cosine = float(torch.dot(target.embedding, found.embedding))
        details: dict[str, Any] = {
            "reference_heard_s": target.heard_s,
            "hypothesis_heard_s": found.heard_s,
        }
        recordings = {self._wanted: reference, "the hypothesis": hypothesis}
        narrow = [r for r, audio in recordings.items() if is_narrow_band(audio, sample_rate)]
        if narrow:
            details["narrow_band"] = narrow
        return Score(cosine, details)

    @cached_property
    def _model(self) -> SpeakerModel:
        return load_speaker_model(self._model_name, self.device)
