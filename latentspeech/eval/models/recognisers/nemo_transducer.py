"""NVIDIA NeMo's Conformer-Transducer XL: WER-C as published (1.62 on LibriSpeech test-clean).

NeMo is large and pins many packages, so it is not a dependency; the metric works if NeMo is
installed. A .nemo file is an archive whose configuration names Python classes: use only the file of
its publisher.

T samples at 16 kHz.
"""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.device import CPU
from latentspeech.core.errors import CheckpointError
from latentspeech.core.eval.scorer import require_packages
from latentspeech.core.eval.weight_files import first_lines
from latentspeech.core.eval.weights import WeightSource
from latentspeech.eval.models.recognisers.published import PublishedRecogniser

NEMO_XLARGE = WeightSource(
    name="stt_en_conformer_transducer_xlarge",
    weights=("stt_en_conformer_transducer_xlarge.nemo",),
    repo="nvidia/stt_en_conformer_transducer_xlarge",
    licence="CC-BY-4.0",
    size_mb=2580,
)
_PACKAGES = {"nemo": '"nemo_toolkit[core,asr-only,common-only]"'}


class NemoTransducer(PublishedRecogniser):
    """NeMo's own greedy `transcribe`, one recording at a time."""

    name = "nemo-transducer"
    metric = "WER-C"
    model = "NeMo Conformer-Transducer XL, English"
    decoding = "greedy, as NeMo's transcribe() does by default"
    package = "nemo_toolkit"

    def __init__(self, source: WeightSource = NEMO_XLARGE, device: torch.device = CPU) -> None:
        super().__init__(source, device)

    def _require_packages(self) -> None:
        require_packages(self.metric, _PACKAGES)

    def _recognise_piece(self, piece: Tensor) -> str:
        results = self._model.transcribe([piece.numpy()], batch_size=1, verbose=False)
        # Transducers of NeMo 1 return (best, all); NeMo 2 and 3 return the best.
        best = results[0][0] if isinstance(results, tuple) else results[0]
        return best if isinstance(best, str) else str(best.text)

    @cached_property
    def _model(self) -> Any:
        weights = self._weights
        from nemo.collections.asr.models import ASRModel

        try:
            model = ASRModel.restore_from(str(weights.path), map_location=str(self.device))
        except Exception as error:  # restoring builds any class that the configuration names
            raise CheckpointError(
                f"{weights.path} cannot be restored by NeMo ({first_lines(str(error))}); "
                f"{self.source.remedy()}"
            ) from error
        return model.eval()
