"""GE2E: an LSTM speaker encoder (Wan et al., 2018, arXiv 1710.10467) as Resemblyzer ships it.

Its weights are inside the package, so it needs no network. It was trained on LibriSpeech and
VoxCeleb. Its embeddings have no negative components, so its cosines are high;
docs/evaluation/wer_and_sim.md explains them.

T samples at 16 kHz.
"""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.device import describe_device
from latentspeech.core.eval.scorer import package_version, require_packages
from latentspeech.eval.metrics.librosa_import import import_librosa
from latentspeech.eval.models.speakers.speaker_model import SAMPLE_RATE, SpeakerModel, Voice, unit

# webrtcvad, which Resemblyzer imports, needs pkg_resources, which setuptools has removed in 81.
_PACKAGES = {"resemblyzer": "Resemblyzer", "pkg_resources": '"setuptools<81"'}


class Ge2e(SpeakerModel):
    """Resemblyzer's VoiceEncoder with its own `preprocess_wav` and its own windows of audio."""

    name = "ge2e"
    label = "GE2E"

    def prepare(self) -> None:
        """Loads the encoder."""
        _ = self._encoder

    def describe(self) -> dict[str, Any]:
        """Describes the model; the package contains the checkpoint."""
        loaded = "_encoder" in self.__dict__
        package = package_version("Resemblyzer") if loaded else "Resemblyzer"
        return {
            "model": "GE2E LSTM speaker encoder, 256 dimensions",
            "checkpoint": f"pretrained.pt inside {package}",
            "sample_rate": SAMPLE_RATE,
            "normaliser": "raised to -30 dBFS, long silences cut by WebRTC voice detection",
            "package": package,
            **describe_device(self.device),
        }

    def _voice(self, role: str, audio: Tensor) -> Voice:
        self.prepare()
        import resemblyzer

        voiced = resemblyzer.preprocess_wav(audio.numpy())
        voiced_s = len(voiced) / SAMPLE_RATE
        self._check_length(role, voiced_s, "voice")
        return Voice(unit(self._embed(torch.from_numpy(voiced))), voiced_s)

    def _embed(self, audio: Tensor) -> Tensor:
        return torch.from_numpy(self._encoder.embed_utterance(audio.numpy()))  # (256,)

    @cached_property
    def _encoder(self) -> Any:
        require_packages(f"SIM-{self.label}", _PACKAGES)
        import_librosa()  # Resemblyzer imports librosa itself
        import resemblyzer

        return resemblyzer.VoiceEncoder(device=self.device, verbose=False)
