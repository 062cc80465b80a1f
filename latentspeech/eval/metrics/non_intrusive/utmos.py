"""UTMOS: predicted naturalness without a reference, the `utmos22_strong` learner.

Saeki et al., 2022, arXiv 2204.02152. The network comes from the package `utmos-pytorch`, which
needs no fairseq. The weights are the file of tarepan/SpeechMOS, which is the usual source of
`utmos22_strong`, or the package's own conversion of it. The two files name the same tensors
differently; with SpeechMOS's file this network gives SpeechMOS's values.

Clips are scored one at a time, since padding in a batch shifts the score by some hundredths. The
score is a mean over frames and its cost grows with the square of the length, so clips over 40 s are
split into equal blocks of at most 40 s and the blocks' values are averaged.
"""

import math
import os
import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.audio.signal_check import check_signal
from latentspeech.core.device import CPU, describe_device
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.eval.scorer import Score, package_version, require_packages
from latentspeech.core.eval.weight_files import check_whole, load_strictly, load_tensors
from latentspeech.core.eval.weights import FOLDER_VARIABLE, Weights, WeightSource, resolve
from latentspeech.eval.metrics.audio_scorer import AudioScorer

SAMPLE_RATE = 16000
MAX_BLOCK_S = 40.0
# One frame of the network covers 400 samples; a shorter clip has no frame.
MIN_SAMPLES = 400
SOURCE = WeightSource(
    name="utmos22_strong",
    weights=("utmos22_strong_step7459_v1.pt", "utmos_state_dict.pt"),
    licence="MIT",
    size_mb=412,
    url=(
        "https://github.com/tarepan/SpeechMOS/releases/download/v1.0.0/"
        "utmos22_strong_step7459_v1.pt"
    ),
)
# SpeechMOS keeps only the used row of each embedding: data set 0 and listener 288.
_DATA_SET, _LISTENER = 0, 288
_RENAMED = {
    "wav2vec2.": "feature_extractors.0.ssl_model.",
    "blstm.": "output_layers.0.decoder_rnn.",
    "projection.0.": "output_layers.1.net.0.",
    "projection.2.": "output_layers.1.net.3.",
}
_ROWS = {
    "domain_emb": ("feature_extractors.1.embedding.weight", _DATA_SET),
    "judge_emb": ("output_layers.0.judge_embedding.weight", _LISTENER),
}


class Utmos(AudioScorer):
    """UTMOS of the strong learner; its range is about 1 to 5."""

    name = "UTMOS"
    unit = "MOS"
    higher_is_better = True

    def __init__(self, device: torch.device = CPU) -> None:
        self.device = device

    def prepare(self) -> None:
        """Loads the network."""
        require_packages(self.name, {"utmos_pytorch": "utmos-pytorch"})
        _ = self._network

    def describe(self) -> dict[str, Any]:
        """Describes model, checkpoint, sample rate, package and how clips are scored."""
        return {
            "metric": self.name,
            "model": "UTMOS strong learner (utmos22_strong), without phonemes",
            "checkpoint": self._weights.checkpoint(),
            "sample_rate": SAMPLE_RATE,
            "package": package_version("utmos-pytorch"),
            "lengths": "clips scored singly; over 40 s the mean of equal blocks",
            "aggregation": "mean over utterances",
            **describe_device(self.device),
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Scores one clip; silence is scored by the network like any other clip."""
        self.prepare()
        audio = check_signal("hypothesis", hypothesis, sample_rate)
        duration_s = audio.numel() / sample_rate
        audio = resample(audio, sample_rate, SAMPLE_RATE)
        if audio.numel() < MIN_SAMPLES:
            raise InputError(
                f"hypothesis audio is {duration_s:.3f} s; "
                f"{self.name} expects at least {MIN_SAMPLES / SAMPLE_RATE:.3f} s"
            )
        num_blocks = math.ceil(audio.numel() / (MAX_BLOCK_S * SAMPLE_RATE))
        blocks = torch.tensor_split(audio, num_blocks)
        values = [float(self._network.score(block.to(self.device))) for block in blocks]
        value = math.fsum(values) / num_blocks
        return Score(value, {"duration_s": duration_s, "num_blocks": num_blocks})

    @cached_property
    def _weights(self) -> Weights:
        return find_weights()

    @cached_property
    def _network(self) -> Any:
        from utmos_pytorch import utmos_torch

        class Network(utmos_torch.UTMOSScoreTorch):  # type: ignore[misc]
            """The package's class, which by itself accepts a file that lacks tensors."""

            def load_utmos_weights(self, ckpt_path: str, device: str, verbose: bool) -> None:
                path = Path(ckpt_path)
                load_strictly(self.model, tensors_for(self.model, load_tensors(path), path), path)
                self.model.eval()

        with warnings.catch_warnings():
            # The package and its weights use torch's deprecated weight norm.
            warnings.filterwarnings("ignore", category=FutureWarning)
            return Network(ckpt_path=str(self._weights.path), device=str(self.device))


def find_weights() -> Weights:
    """Returns the file that torch.hub has downloaded for SpeechMOS, or else what `resolve` finds.

    A folder that the user names has precedence over both.
    """
    hub = Path(torch.hub.get_dir()) / "checkpoints" / SOURCE.weights[0]
    named = os.environ.get(FOLDER_VARIABLE, "")
    if not hub.is_file() or (named and (Path(named) / SOURCE.name).is_dir()):
        return resolve(SOURCE)
    check_whole(hub)
    return Weights(SOURCE, hub.parent, hub)


def tensors_for(
    network: torch.nn.Module, tensors: dict[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """Returns the tensors of either file under `network`'s names, without those for training."""
    if not isinstance(tensors, dict):
        raise CheckpointError(f"{path} holds no named tensors; expected UTMOS's; get it again")
    wanted = network.state_dict()
    named = _renamed(tensors, wanted) if "domain_emb" in tensors else tensors
    return {name: tensor for name, tensor in named.items() if name in wanted}


def _renamed(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    named = {}
    for name, tensor in tensors.items():
        if name in _ROWS:
            name, row = _ROWS[name]
            # The file lacks the other rows; NaN makes sure that using them gives no valid score.
            table = torch.full_like(wanted[name], math.nan)
            table[row] = tensor[0]
            named[name] = table
            continue
        for old, new in _RENAMED.items():
            if name.startswith(old):
                named[new + name.removeprefix(old)] = tensor
    return named
