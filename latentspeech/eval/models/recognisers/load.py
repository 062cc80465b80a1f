"""Recognisers by name; a process makes each of them once, and all scorers and prompts share it."""

import functools

import torch

from latentspeech.core.device import CPU
from latentspeech.core.errors import ConfigError
from latentspeech.eval.models.recognisers.conformer_transducer import ConformerTransducer
from latentspeech.eval.models.recognisers.hubert import HubertRecogniser
from latentspeech.eval.models.recognisers.nemo_transducer import NemoTransducer
from latentspeech.eval.models.recognisers.recogniser import Recogniser
from latentspeech.eval.models.recognisers.whisper import Whisper, WhisperBase, WhisperTiny

RECOGNISERS: dict[str, type[Recogniser]] = {
    kind.name: kind
    for kind in (WhisperTiny, WhisperBase, HubertRecogniser, ConformerTransducer, NemoTransducer)
}


def recogniser_class(name: str) -> type[Recogniser]:
    """The class of one of RECOGNISERS; ConfigError for an unknown name."""
    if name not in RECOGNISERS:
        raise ConfigError(f"unknown recogniser {name!r}; choose from {', '.join(RECOGNISERS)}")
    return RECOGNISERS[name]


def load_recogniser(name: str, device: torch.device = CPU) -> Recogniser:
    """Returns the process's recogniser of that name; its weights are loaded on first use.

    `load_recogniser("whisper").transcribe(audio, sample_rate)` needs no network. Whisper computes
    on the CPU and ignores `device`.
    """
    return _load(name, device)


@functools.cache
def _load(name: str, device: torch.device) -> Recogniser:
    kind = recogniser_class(name)
    return kind() if issubclass(kind, Whisper) else kind(device=device)
