"""A small LatentLM of two modalities with random weights, for tests."""

from collections.abc import Callable

import torch

from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.torch_runtime import TorchRuntime
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.onnx.from_torch import onnx_runtime

MakeRuntime = Callable[[LatentLM], Runtime]

DIMS = (3, 5)
RUNTIMES: tuple[MakeRuntime, ...] = (TorchRuntime, onnx_runtime)
SPEECH = {"bod_id": 10, "eod_id": 11, "slot_id": 12}
IMAGE = {"bod_id": 13, "eod_id": 14, "slot_id": 15}


def make(
    width: int = 16, layers: int = 2, num_neighbours: int = 0, num_image_latents: int | None = None
) -> LatentLM:
    torch.manual_seed(5)
    backbone = TransformerConfig(
        model_dim=width,
        num_layers=layers,
        num_heads=4,
        num_kv_heads=2,
        head_dim=width // 4,
        ffn_dim=2 * width,
        ffn_kind="swiglu",
    )
    head = {"head_layers": 2, "head_ffn_dim": 2 * width}
    image = {"latent_dim": DIMS[1], "num_latents": num_image_latents}
    modalities = (
        ModalityConfig(name="speech", latent_dim=DIMS[0], **SPEECH, **head),
        ModalityConfig(name="image", **image, **IMAGE, **head),
    )
    config = LatentLMConfig(
        backbone=backbone, vocab_size=16, modalities=modalities, num_neighbours=num_neighbours
    )
    return LatentLM(config).eval()


def randomize(model: LatentLM, kind: MakeRuntime = TorchRuntime) -> LatentLM:
    """Sets random weights where AdaLN-Zero has zeros, with which it ignores its condition."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for embedding in model.neighbour_embeddings:
        torch.nn.init.zeros_(embedding.weight[0])  # no neighbour adds nothing
    return model.double() if kind is TorchRuntime else model
