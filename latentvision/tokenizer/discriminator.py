"""The PatchGAN discriminator of the tokenizer: one logit for each overlapping patch of an image.

Isola et al. 2017, arXiv 1611.07004, in the sizes of VQGAN (Esser et al. 2021, arXiv 2012.09841):
convolutions of 4 x 4, the first `num_layers` with stride 2, LeakyReLU of slope 0.2, BatchNorm on
all but the first and the last. BatchNorm always takes the statistics of its batch: the network is
used in training alone, so it needs no running ones.

B images, C channels.
"""

from pydantic import Field
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.gan import DiscriminatorOutput
from latentspeech.core.tensors import check_shape

_MAX_WIDENING = 8
_INIT_STD = 0.02
_SLOPE = 0.2


class PatchDiscriminatorConfig(Config):
    """Sizes of the discriminator; the defaults are VQGAN's, which judge patches of 70 pixels."""

    channels: int = Field(64, ge=1, description="channels of the first layer")
    num_layers: int = Field(3, ge=1, description="layers of stride 2")

    def logits_per_side(self, image_size: int) -> int:
        """Logits a side of an image; below 1 the image is too small."""
        size = image_size
        for _ in range(self.num_layers):
            size //= 2
        return size - 2


class PatchDiscriminator(nn.Module):
    """Images (B, 3, H, W) -> logits (B, 1, H', W')."""

    def __init__(self, config: PatchDiscriminatorConfig) -> None:
        super().__init__()
        widths = [config.channels * min(2**n, _MAX_WIDENING) for n in range(config.num_layers + 1)]
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(_SLOPE)]
        for number, width in enumerate(widths[1:], start=1):
            stride = 2 if number < config.num_layers else 1
            layers += [
                nn.Conv2d(widths[number - 1], width, 4, stride, 1, bias=False),
                nn.BatchNorm2d(width, track_running_stats=False),
                nn.LeakyReLU(_SLOPE),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=_INIT_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, mean=1.0, std=_INIT_STD)

    def forward(self, images: Tensor) -> list[DiscriminatorOutput]:
        """Judges images in [-1, 1]; one output, without hidden layers."""
        check_shape("images", images, "B", 3, "H", "W")
        return [DiscriminatorOutput(self.layers(images), [])]
