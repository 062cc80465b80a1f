"""Speaker models by name; a process makes each of them once, and all scorers share it."""

import functools

import torch

from latentspeech.core.device import CPU
from latentspeech.core.errors import ConfigError
from latentspeech.eval.models.speakers.campplus import CamPlusPlus
from latentspeech.eval.models.speakers.ecapa import Ecapa
from latentspeech.eval.models.speakers.ge2e import Ge2e
from latentspeech.eval.models.speakers.speaker_model import SpeakerModel
from latentspeech.eval.models.speakers.wavlm_sv import WavLmXVector
from latentspeech.eval.models.speakers.wavlm_tdnn import WavLmTdnn

SPEAKER_MODELS: dict[str, type[SpeakerModel]] = {
    kind.name: kind for kind in (WavLmTdnn, WavLmXVector, Ecapa, Ge2e, CamPlusPlus)
}


def speaker_model_class(name: str) -> type[SpeakerModel]:
    """The class of one of SPEAKER_MODELS; ConfigError for an unknown name."""
    if name not in SPEAKER_MODELS:
        known = ", ".join(SPEAKER_MODELS)
        raise ConfigError(f"unknown speaker model {name!r}; choose from {known}")
    return SPEAKER_MODELS[name]


def load_speaker_model(name: str, device: torch.device = CPU) -> SpeakerModel:
    """Returns the process's model of that name; its weights are loaded on first use."""
    return _load(name, device)


@functools.cache
def _load(name: str, device: torch.device) -> SpeakerModel:
    return speaker_model_class(name)(device=device)
