"""Generators of images so small that a test draws with them in a moment."""

from typing import Any

import torch
from torch import nn

from latentvision.generation.backbone import BackboneConfig
from latentvision.generation.build import ModelConfig, build_generator
from latentvision.generation.dit import DiTConfig
from latentvision.generation.generator import ImageGenerator
from latentvision.generation.image_lm import ImageLMConfig
from latentvision.generation.space import ImageBatch, ImageSpace
from latentvision.generation.study.givt import GIVTConfig
from latentvision.generation.study.mar import MARConfig
from latentvision.generation.study.vq_lm import VQLMConfig

SPACE = ImageSpace(num_rows=3, num_columns=4, latent_dim=5, num_classes=3)
CODES = ImageSpace(num_rows=3, num_columns=4, latent_dim=1, num_classes=3, num_codes=7)
BACKBONE = BackboneConfig(model_dim=32, num_layers=2, num_heads=4, num_kv_heads=2, ffn_dim=48)
HEAD = {"head_layers": 2, "head_ffn_dim": 40}
CONFIGS: dict[str, ModelConfig] = {
    "lm": ImageLMConfig(backbone=BACKBONE, **HEAD),
    "dit": DiTConfig(backbone=BACKBONE),
    "givt": GIVTConfig(backbone=BACKBONE, num_mixtures=3),
    "vq": VQLMConfig(backbone=BACKBONE),
    "mar": MARConfig(backbone=BACKBONE, num_class_tokens=2, **HEAD),
}
KINDS = tuple(CONFIGS)
CONTINUOUS = ("lm", "dit", "givt", "mar")
DIFFUSION = ("lm", "dit", "mar")


def space_of(kind: str) -> ImageSpace:
    return CODES if kind == "vq" else SPACE


def make(kind: str, **settings: Any) -> ImageGenerator:
    """A generator whose weights are all random, gates and outputs too, in float64."""
    torch.manual_seed(1)
    config = CONFIGS[kind].model_copy(update=settings)
    model = build_generator(space_of(kind), config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    if kind != "vq":
        size = SPACE.latent_dim
        model.set_statistics(torch.full((size,), 0.3), torch.full((size,), 2.0))
    return model.double().eval()


def batch_of(kind: str, count: int = 4, seed: int = 0) -> ImageBatch:
    """Images of all classes, the null class among them."""
    space = space_of(kind)
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % (space.null_class + 1)
    shape = (count, space.num_latents, space.latent_dim)
    if kind == "vq":
        codes = torch.randint(0, 7, shape, generator=generator)
        return ImageBatch(codes.float(), labels)
    return ImageBatch(torch.randn(shape, generator=generator, dtype=torch.float64), labels)
