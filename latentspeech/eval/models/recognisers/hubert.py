"""HuBERT-Large fine-tuned on LibriSpeech 960 h (Hsu et al., 2021, arXiv 2106.07447): WER-H.

It decodes CTC greedily without a language model, as do the model's card (1.9 on test-clean) and the
paper's WER-H.

T samples at 16 kHz, F frames (50 a second).
"""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.device import CPU
from latentspeech.core.eval.pretrained import load_pretrained
from latentspeech.core.eval.scorer import require_packages
from latentspeech.core.eval.weights import WeightSource
from latentspeech.eval.models.recognisers.published import PublishedRecogniser
from latentspeech.eval.models.recognisers.recogniser import SAMPLE_RATE

HUBERT_LARGE = WeightSource(
    name="hubert-large-ls960-ft",
    weights=("model.safetensors", "pytorch_model.bin"),
    files=(
        "config.json",
        "preprocessor_config.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.json",
    ),
    repo="facebook/hubert-large-ls960-ft",
    licence="Apache-2.0",
    size_mb=1262,
)
_PACKAGES = {"transformers": "transformers"}


class HubertRecogniser(PublishedRecogniser):
    """HubertForCTC of transformers with its processor."""

    name = "hubert"
    metric = "WER-H"
    model = "HuBERT-Large, CTC, fine-tuned on LibriSpeech 960 h"
    decoding = "greedy, no language model"
    package = "transformers"

    def __init__(self, source: WeightSource = HUBERT_LARGE, device: torch.device = CPU) -> None:
        super().__init__(source, device)

    def prepare(self) -> None:
        """Loads the model and its vocabulary."""
        _ = self._model, self._processor

    def _require_packages(self) -> None:
        require_packages(self.metric, _PACKAGES)

    def _recognise_piece(self, piece: Tensor) -> str:
        inputs = self._processor(piece.numpy(), sampling_rate=SAMPLE_RATE, return_tensors="pt")
        logits = self._model(inputs.input_values.to(self.device)).logits  # (1, F, vocabulary)
        (heard,) = self._processor.batch_decode(logits.argmax(dim=-1).cpu())
        return str(heard)

    @cached_property
    def _model(self) -> Any:
        weights = self._weights
        from transformers import HubertForCTC

        return load_pretrained(HubertForCTC, weights).to(self.device)

    @cached_property
    def _processor(self) -> Any:
        weights = self._weights
        from transformers import Wav2Vec2Processor

        return Wav2Vec2Processor.from_pretrained(weights.folder, local_files_only=True)
