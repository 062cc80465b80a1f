"""HuBERT-Large fine-tuned on LibriSpeech 960 h (Hsu et al., 2021, arXiv 2106.07447): WER-H.

CTC, greedy, no language model, as in the model's card (1.9 on test-clean) and the paper's WER-H.

T samples at 16 kHz, F frames (50 a second).
"""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.device import CPU, describe_device
from latentspeech.core.eval.pretrained import load_pretrained
from latentspeech.core.eval.scorer import package_version, require_packages
from latentspeech.core.eval.weights import Weights, WeightSource, resolve
from latentspeech.eval.models.recognisers import pieces
from latentspeech.eval.models.recognisers.recogniser import SAMPLE_RATE, Recogniser

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


class HubertRecogniser(Recogniser):
    """transformers' HubertForCTC and its processor."""

    name = "hubert"
    metric = "WER-H"

    def __init__(self, source: WeightSource = HUBERT_LARGE, device: torch.device = CPU) -> None:
        super().__init__(device)
        self.source = source

    def prepare(self) -> None:
        """Loads the model and its vocabulary."""
        _ = self._model, self._processor

    def describe(self) -> dict[str, Any]:
        """The checkpoint by its content once it is loaded, by its address before."""
        loaded = "_model" in self.__dict__
        return {
            "model": "HuBERT-Large, CTC, fine-tuned on LibriSpeech 960 h",
            "checkpoint": self._weights.checkpoint() if loaded else self.source.where(),
            "sample_rate": SAMPLE_RATE,
            "decoding": f"greedy, no language model; {pieces.ABOUT}",
            "package": package_version("transformers") if loaded else "transformers",
            **describe_device(self.device),
        }

    @torch.inference_mode()
    def _recognise(self, audio: Tensor) -> str:
        heard = []
        for piece in pieces.cut_at_silences(audio, SAMPLE_RATE):
            inputs = self._processor(piece.numpy(), sampling_rate=SAMPLE_RATE, return_tensors="pt")
            logits = self._model(inputs.input_values.to(self.device)).logits  # (1, F, vocabulary)
            heard += self._processor.batch_decode(logits.argmax(dim=-1).cpu())
        return " ".join(heard)

    @cached_property
    def _weights(self) -> Weights:
        require_packages(self.metric, _PACKAGES)
        return resolve(self.source)

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
