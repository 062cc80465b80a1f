"""The sizes of the image models of the paper (Tables 1 and 9, 5.1.2, 5.1.4).

Width, layers, heads and the four names up to 3B are printed; widths of 7B and 13B and the heads of
L are those of the public code. The FFN is 4 d for LatentLM and 8/3 d for DiT; L has the printed
2730 and a head of 6 layers. The number of key/value heads with GQA is printed nowhere; 4 divides
the heads of all sizes.
"""

from typing import NamedTuple

from latentspeech.core.errors import ConfigError
from latentvision.generation.backbone import BackboneConfig
from latentvision.generation.dit import DiTConfig
from latentvision.generation.image_lm import ImageLMConfig
from latentvision.generation.space import ImageSpace

PATCH = 16  # pixels a side of the patch that becomes one latent
GQA_HEADS = 4


class _Size(NamedTuple):
    width: int
    layers: int
    heads: int


_SIZES = {
    "medium": _Size(1024, 24, 16),
    "large": _Size(1536, 24, 12),
    "xl": _Size(2048, 24, 16),
    "3b": _Size(2560, 32, 20),
    "7b": _Size(4096, 32, 32),
    "13b": _Size(5120, 40, 40),
}
_TABLE_1 = "l"


def imagenet_space(image_size: int = 256) -> ImageSpace:
    """ImageNet of 256 or 384 px: 256 or 576 latents of 16 channels, 1000 classes.

    Raises:
        ConfigError: the size is not a multiple of the patch.
    """
    if image_size % PATCH:
        raise ConfigError(f"image_size is {image_size}; expected a multiple of {PATCH}")
    side = image_size // PATCH
    return ImageSpace(num_rows=side, num_columns=side, latent_dim=16, num_classes=1000)


def lm_preset(name: str, grouped: bool = False) -> ImageLMConfig:
    """LatentLM of a size: medium, large, xl, 3b, 7b, 13b, or l for Table 1.

    Args:
        grouped: grouped-query attention with `GQA_HEADS` key/value heads.
    """
    if name == _TABLE_1:
        backbone = _backbone(_Size(1024, 32, 16), 2730, grouped)
        return ImageLMConfig(backbone=backbone, head_layers=6, head_ffn_dim=2730)
    size = _size(name, (*_SIZES, _TABLE_1))
    ffn_dim = 4 * size.width
    return ImageLMConfig(backbone=_backbone(size, ffn_dim, grouped), head_ffn_dim=ffn_dim)


def dit_preset(name: str, grouped: bool = False) -> DiTConfig:
    """The DiT twin of a size: medium, large, xl, 3b, 7b or 13b."""
    size = _size(name, tuple(_SIZES))
    return DiTConfig(backbone=_backbone(size, 8 * size.width // 3, grouped))


def _size(name: str, known: tuple[str, ...]) -> _Size:
    if name not in _SIZES:
        raise ConfigError(f"no image model of size {name!r}; expected one of {', '.join(known)}")
    return _SIZES[name]


def _backbone(size: _Size, ffn_dim: int, grouped: bool) -> BackboneConfig:
    return BackboneConfig(
        model_dim=size.width,
        num_layers=size.layers,
        num_heads=size.heads,
        num_kv_heads=GQA_HEADS if grouped else size.heads,
        ffn_dim=ffn_dim,
    )
