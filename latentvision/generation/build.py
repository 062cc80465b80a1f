"""The generator that a configuration names."""

from typing import Annotated

from pydantic import Field

from latentvision.generation.dit import DiT, DiTConfig
from latentvision.generation.generator import ImageGenerator
from latentvision.generation.image_lm import ImageLM, ImageLMConfig
from latentvision.generation.space import ImageSpace
from latentvision.generation.study.givt import GIVT, GIVTConfig
from latentvision.generation.study.mar import MAR, MARConfig
from latentvision.generation.study.vq_lm import VQLM, VQLMConfig

ModelConfig = Annotated[
    ImageLMConfig | DiTConfig | GIVTConfig | VQLMConfig | MARConfig, Field(discriminator="kind")
]


def build_generator(space: ImageSpace, config: ModelConfig) -> ImageGenerator:
    """A generator with fresh weights from torch's global generator."""
    match config:
        case ImageLMConfig():
            return ImageLM(space, config)
        case DiTConfig():
            return DiT(space, config)
        case GIVTConfig():
            return GIVT(space, config)
        case VQLMConfig():
            return VQLM(space, config)
        case MARConfig():
            return MAR(space, config)
