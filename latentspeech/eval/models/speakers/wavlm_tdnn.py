"""WavLM-TDNN, the SIM of the paper: WavLM-large under an ECAPA-TDNN, fine-tuned together.

Chen et al., 2022, arXiv 2110.13900; the checkpoint is UniSpeech's wavlm_large_finetune.pth (equal
error rate 0.43% on VoxCeleb 1-O), which VALL-E and its successors, F5-TTS and seed-tts-eval use.
WavLM comes from the transformers library, the head is ours; loading is strict.

The last hidden state that transformers 5 returns is the last layer's output before the final layer
norm, but the checkpoint was trained on the output after that norm. So this file collects the inputs
of all layers itself and takes the model's output as the last entry.

T samples at 16 kHz, L layers, F frames (50 a second), D features, E embedding dimensions.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.device import CPU, describe_device
from latentspeech.core.errors import CheckpointError
from latentspeech.core.eval.scorer import package_version, require_packages
from latentspeech.core.eval.weight_files import load_strictly, load_tensors
from latentspeech.core.eval.weights import Weights, WeightSource, resolve
from latentspeech.eval.models.speakers.ecapa_head import EcapaHead
from latentspeech.eval.models.speakers.speaker_model import BLOCKS, SAMPLE_RATE, SpeakerModel
from latentspeech.eval.models.speakers.unispeech_names import rename

WAVLM_LARGE_FINETUNE = WeightSource(
    name="wavlm-large-finetune",
    weights=("speaker_similarity/wavlm_large_finetune.pth", "wavlm_large_finetune.pth"),
    repo="k2-fsa/TTS_eval_models",  # a mirror: UniSpeech itself links to a file share
    licence="CC-BY-SA-3.0, that of the UniSpeech repository",
    size_mb=1302,
    sha256="51f07e3b94d9e0262a6a675ef5a087be3dd09e8c62e9d886827f44f82fe7f94b",
)


@dataclass(frozen=True)
class WavLmTdnnSize:
    """The published sizes; tests make smaller ones."""

    num_layers: int = 24
    num_heads: int = 16
    model_dim: int = 1024
    ffn_dim: int = 4096
    conv_dim: int = 512
    channels: int = 512
    embedding_dim: int = 256


class WavLmTdnnModel(nn.Module):
    """WavLM and the head on all of its layers."""

    def __init__(self, size: WavLmTdnnSize) -> None:
        super().__init__()
        from transformers import WavLMConfig, WavLMModel

        config = WavLMConfig(
            hidden_size=size.model_dim,
            num_hidden_layers=size.num_layers,
            num_attention_heads=size.num_heads,
            intermediate_size=size.ffn_dim,
            conv_dim=(size.conv_dim,) * 7,
            conv_bias=False,
            feat_extract_norm="layer",
            do_stable_layer_norm=True,
        )
        self.wavlm = WavLMModel(config)
        self.head = EcapaHead(size.num_layers, size.model_dim, size.channels, size.embedding_dim)

    def forward(self, audio: Tensor) -> Tensor:
        """(B, T) -> (B, E); each row is normalised to mean 0 and variance 1 first."""
        layers: list[Tensor] = []  # the inputs of all layers, (B, F, D)
        hooks = [
            layer.register_forward_pre_hook(lambda _, inputs: layers.append(inputs[0]))
            for layer in self.wavlm.encoder.layers
        ]
        try:
            output = self.wavlm(functional.layer_norm(audio, audio.shape[-1:]))
        finally:
            for hook in hooks:
                hook.remove()
        return self.head(torch.stack([*layers, output.last_hidden_state]))


class WavLmTdnn(SpeakerModel):
    """UniSpeech's model from its own checkpoint file."""

    name = "wavlm-tdnn"
    label = "WavLM-TDNN"

    def __init__(
        self,
        source: WeightSource = WAVLM_LARGE_FINETUNE,
        size: WavLmTdnnSize | None = None,
        device: torch.device = CPU,
    ) -> None:
        super().__init__(device)
        self.source = source
        self.size = size or WavLmTdnnSize()

    def prepare(self) -> None:
        """Builds the model and loads the checkpoint."""
        _ = self._model

    def describe(self) -> dict[str, Any]:
        """Describes the model; the checkpoint is named by content if loaded, else by address."""
        loaded = "_model" in self.__dict__
        return {
            "model": "WavLM-large + ECAPA-TDNN (UniSpeech, fine-tuned together), 256 dimensions",
            "checkpoint": self._weights.checkpoint() if loaded else self.source.where(),
            "sample_rate": SAMPLE_RATE,
            "normaliser": f"mean 0 and variance 1, nothing trimmed; {BLOCKS}",
            "package": package_version("transformers") if loaded else "transformers",
            **describe_device(self.device),
        }

    def _embed(self, audio: Tensor) -> Tensor:
        return self._model(audio[None].to(self.device))[0]  # (E,)

    @cached_property
    def _weights(self) -> Weights:
        require_packages(f"SIM-{self.label}", {"transformers": "transformers"})
        return resolve(self.source)

    @cached_property
    def _model(self) -> Any:
        path = self._weights.path
        checkpoint = load_tensors(path)
        if not isinstance(checkpoint, dict) or "model" not in checkpoint:
            raise CheckpointError(f"{path} has no entry 'model'; {self.source.remedy()}")
        model = WavLmTdnnModel(self.size)
        load_strictly(model, rename(checkpoint["model"]), path)
        return model.eval().to(self.device)
