"""All metrics by their names on the command line; a metric is imported only when it is asked for.

`sim-<model>` compares with the reference of the same utterance (codec copies), `sim-<model>-o`
with the original prompt, `sim-<model>-r` with the codec's copy of the prompt (Wang et al., 2023,
arXiv 2301.02111). `+prefix` keeps the given seconds of a continuation, which are removed otherwise.
"""

import difflib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from latentspeech.core.device import CPU
from latentspeech.core.errors import ConfigError
from latentspeech.eval.metrics.audio_scorer import AudioScorer


@dataclass(frozen=True)
class Metric:
    """A scorer's class and how to construct it; `about` is its line in the help."""

    module: str  # a file of this folder
    scorer: str  # a class in it
    about: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    takes_device: bool = False  # True for networks in torch; all others compute on the CPU

    @property
    def path(self) -> str:
        """The module's full name."""
        return f"{__package__}.{self.module}"


def _similarity(model: str, about: str) -> dict[str, Metric]:
    module, scorer = "similarity", "SpeakerSimilarity"
    against = {"": "reference", "-o": "prompt", "-r": "codec_prompt"}
    found = {}
    for suffix, what in against.items():
        arguments = {"model": model, "held_against": what}
        name, line = f"sim-{model}{suffix}", f"{about}, against the {what}"
        found[name] = Metric(module, scorer, line, arguments, takes_device=True)
        if what != "reference":
            heard = {**arguments, "prefix": "included"}
            line += ", a continuation's given seconds heard too"
            found[f"{name}+prefix"] = Metric(module, scorer, line, heard, takes_device=True)
    return found


def _wer(name: str, recogniser: str, about: str) -> dict[str, Metric]:
    arguments = {"recogniser": recogniser}
    return {name: Metric("wer", "WordErrorRate", about, arguments, takes_device=True)}


def _mel(name: str, variant: str, about: str) -> dict[str, Metric]:
    return {name: Metric("mel_distance", "MelDistance", about, {"variant": variant})}


METRICS: dict[str, Metric] = {
    **_mel("mel", "dac", "mel distance, DAC's 7 scales (its training)"),
    **_mel("mel-dac-class", "dac-class", "mel distance, DAC's loss class: agrees with the paper"),
    **_mel("mel-encodec", "encodec", "mel distance of Encodec's training"),
    **_mel("mel-vocos", "vocos", "mel distance of Vocos' training"),
    "pesq": Metric("pesq_wb", "PesqWideBand", "PESQ wide band"),
    "stoi": Metric("stoi", "Stoi", "STOI"),
    "visqol": Metric(
        "visqol",
        "Visqol",
        "ViSQOL, speech, as in the paper",
        {"mode": "speech"},
    ),
    "visqol-lattice": Metric(
        "visqol",
        "Visqol",
        "ViSQOL, speech, mapping of ViSQOL 3.3",
        {"mode": "speech-lattice"},
    ),
    "visqol-audio": Metric("visqol", "Visqol", "ViSQOL, audio", {"mode": "audio"}),
    "si-sdr": Metric("si_sdr", "SiSdr", "scale-invariant SDR"),
    "f0": Metric("pitch", "LogF0Error", "error of log f0 where both are voiced"),
    "voicing": Metric("pitch", "VoicingError", "frames voiced in one only"),
    "utmos": Metric("non_intrusive.utmos", "Utmos", "UTMOS (utmos22_strong)", takes_device=True),
    "dnsmos": Metric("non_intrusive.dnsmos", "Dnsmos", "DNSMOS overall, P.835"),
    "distillmos": Metric(
        "non_intrusive.distillmos", "DistillMos", "DistillMOS v7", takes_device=True
    ),
    **_similarity("wavlm-tdnn", "SIM of the paper: WavLM-large TDNN"),
    **_similarity("wavlm-sv", "WavLM-base-plus-sv"),
    **_similarity("ecapa", "SpeechBrain ECAPA-TDNN"),
    **_similarity("ge2e", "Resemblyzer GE2E"),
    **_similarity("campplus", "CAM++"),
    **_wer("wer-c", "nemo-transducer", "WER-C of the paper: NeMo Conformer-Transducer XL"),
    **_wer("wer-c-sb", "conformer-transducer", "WER by SpeechBrain's Conformer-Transducer"),
    **_wer("wer-h", "hubert", "WER-H of the paper: HuBERT-Large LS960"),
    **_wer("wer-w", "whisper", "WER by offline Whisper tiny.en"),
    **_wer("wer-w-base", "whisper-base", "WER by offline Whisper base"),
    "rtf": Metric("speed", "RealTimeFactor", "seconds computed per second"),
    "ttfa": Metric("speed", "TimeToFirstAudio", "time to first audio, ms"),
}


def make_scorer(name: str, device: torch.device = CPU) -> AudioScorer:
    """Returns the scorer that METRICS has under `name`; ConfigError for an unknown name.

    Networks in torch compute on `device`. Signal metrics, DNSMOS and Whisper stay on the CPU.
    """
    metric = METRICS.get(name)
    if metric is None:
        near = difflib.get_close_matches(name, METRICS, n=3, cutoff=0.3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ConfigError(f"unknown metric {name!r}; {hint}choose from {', '.join(METRICS)}")
    arguments = {**metric.arguments, **({"device": device} if metric.takes_device else {})}
    scorer = getattr(importlib.import_module(metric.path), metric.scorer)(**arguments)
    assert isinstance(scorer, AudioScorer)
    return scorer


def make_scorers(names: Sequence[str], device: torch.device = CPU) -> list[AudioScorer]:
    """`make_scorer` for several names; spaces around a name and its case do not matter."""
    return [make_scorer(name.strip().lower(), device) for name in names]
