"""SIM-GE2E: cosine of two speaker embeddings (Wan et al., 2018, arXiv 1710.10467; Resemblyzer).

Reference and hypothesis may say different things and last differently; nothing is trimmed to match.
The encoder was trained on LibriSpeech and VoxCeleb; the scale is its own and must not be held
against the paper's WavLM SIM. As a guide: the same voice with another text .94 to .98 over 12 s,
.73 to .82 below 5 s; different people .37 to .80.
"""

from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.core.errors import InputError
from latentspeech.eval.scorer import (
    Score,
    Scorer,
    check_signal,
    is_silent,
    package_version,
    require_packages,
)

SAMPLE_RATE = 16000
MIN_VOICED_S = 0.5


class SpeakerSimilarity(Scorer):
    """Cosine in [0, 1] (the embeddings have no negative components)."""

    name = "SIM-GE2E"
    unit = ""
    higher_is_better = True
    needs_reference = True

    def __init__(self) -> None:
        # webrtcvad, which Resemblyzer imports, needs pkg_resources: gone from setuptools 81 on.
        packages = {"resemblyzer": "Resemblyzer", "pkg_resources": '"setuptools<81"'}
        require_packages(self.name, packages)

    def describe(self) -> dict[str, Any]:
        """The speaker model, its preparation of the audio and the package."""
        return {
            "metric": self.name,
            "model": "GE2E LSTM speaker encoder, 256 dimensions",
            "checkpoint": "pretrained.pt inside the package",
            "sample_rate": SAMPLE_RATE,
            "normaliser": "raised to -30 dBFS, long silences cut by WebRTC voice detection",
            "package": package_version("Resemblyzer"),
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
        """Cosine between the speaker of `reference` and that of `hypothesis`."""
        if reference is None:
            raise InputError(f"{self.name} compares with a reference recording; none was given")
        target, target_s = self.embed("reference", reference, sample_rate)
        found, found_s = self.embed("hypothesis", hypothesis, sample_rate)
        details = {"reference_voiced_s": target_s, "hypothesis_voiced_s": found_s}
        return Score(float(np.dot(target, found)), details)

    def embed(self, role: str, audio: Tensor, sample_rate: int) -> tuple[Any, float]:
        """The unit-length embedding (256,) of one recording, and its voiced seconds."""
        import resemblyzer

        audio = check_signal(role, audio, sample_rate)
        if is_silent(audio):
            raise InputError(f"{role} audio is silent; {self.name} expects a voice in it")
        samples = resample(audio, sample_rate, SAMPLE_RATE).numpy()
        voiced = resemblyzer.preprocess_wav(samples)
        voiced_s = len(voiced) / SAMPLE_RATE
        if voiced_s < MIN_VOICED_S:
            raise InputError(
                f"{role} audio has {voiced_s:.2f} s of voice; "
                f"{self.name} expects at least {MIN_VOICED_S} s"
            )
        return self._encoder.embed_utterance(voiced), voiced_s

    @cached_property
    def _encoder(self) -> Any:
        import resemblyzer

        return resemblyzer.VoiceEncoder(device="cpu", verbose=False)
