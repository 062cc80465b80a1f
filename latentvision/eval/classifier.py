"""A small convolutional classifier that judges drawn pictures; it learns from real ones alone.

Residual blocks before activation (He et al. 2016, arXiv 1603.05027) with group normalisation (Wu
and He 2018, arXiv 1803.08494), which computes the same in training and evaluation. Its directory
says how well it classifies real test pictures, because samples are measured against that.

B images, S image size, K channels, F features, C classes.
"""

from pathlib import Path
from typing import NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import InputError
from latentspeech.core.storage.files import atomic_directory
from latentspeech.core.storage.model_directory import load_weights, read_model_config, write_model

KIND = "image_classifier"
_GROUP_CHANNELS = 8


class ClassifierConfig(Config):
    """Sizes of the network."""

    image_size: int = Field(28, ge=4, description="side of its images, pixels")
    channels: tuple[int, ...] = Field(
        (32, 64, 128), min_length=1, description="channels of each stage; each halves the image"
    )
    num_blocks: int = Field(1, ge=1, description="residual blocks of a stage")
    dropout: float = Field(0.2, ge=0, lt=1, description="of features, in training")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if wrong := [c for c in self.channels if c < 1 or c % _GROUP_CHANNELS]:
            raise ValueError(f"channels has {wrong[0]}; expected multiples of {_GROUP_CHANNELS}")
        return self


class TestResult(Config):
    """How well a classifier recognises real pictures that it was not trained on."""

    __test__ = False  # not a test, although pytest takes the name for one

    accuracy: float = Field(ge=0, le=1, description="share of pictures whose class it names")
    num_pictures: int = Field(ge=1, description="number of test pictures")
    source: str = Field(description="where they come from")


class ClassifierDescription(Config):
    """Everything that a classifier's config.yaml says."""

    network: ClassifierConfig = Field(description="sizes")
    class_names: tuple[str, ...] = Field(min_length=2, description="the classes by number")
    trained_on: str = Field(description="the real pictures that it was trained on")
    test: TestResult = Field(description="its result on real test pictures")


class Classifier(nn.Module):
    """Images (B, 3, S, S) in [-1, 1] -> logits (B, C)."""

    def __init__(self, config: ClassifierConfig, num_classes: int) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        previous = 3
        for stage, channels in enumerate(config.channels):
            stride = 2 if stage else 1
            layers.append(nn.Conv2d(previous, channels, 3, stride=stride, padding=1))
            layers += [_Block(channels) for _ in range(config.num_blocks)]
            previous = channels
        self.layers = nn.Sequential(*layers)
        self.norm = _norm(previous)
        self.head = nn.Linear(previous, num_classes)
        self.num_features = previous

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) in [-1, 1] -> (B, F); InputError if they have another size."""
        size = self.config.image_size
        if images.shape[-2:] != (size, size):
            raise InputError(
                f"images have {images.shape[-1]} x {images.shape[-2]} pixels; the classifier takes "
                f"{size} x {size}: score pictures of that size (--image-size {size})"
            )
        x = functional.silu(self.norm(self.layers(images)))  # (B, K, S', S')
        return x.mean(dim=(2, 3))  # (B, F)

    def classify(self, features: Tensor) -> Tensor:
        """Features (B, F) -> logits (B, C)."""
        return self.head(functional.dropout(features, self.config.dropout, self.training))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) in [-1, 1] -> logits (B, C)."""
        return self.classify(self.features(images))


class LoadedClassifier(NamedTuple):
    """A classifier's directory in memory."""

    config: ClassifierDescription
    network: Classifier


def save_classifier(
    network: Classifier, description: ClassifierDescription, directory: Path, card: str
) -> None:
    """Writes config.yaml, model.safetensors (float32) and README.md; replaces `directory`."""
    with atomic_directory(directory) as temporary:
        write_model(temporary, KIND, description, network, card, torch.float32)


def read_classifier(directory: Path) -> ClassifierDescription:
    """Reads config.yaml; CheckpointError if the folder holds something else."""
    values = read_model_config(directory, KIND)
    return parse_config(ClassifierDescription, values, origin=str(directory / "config.yaml"))


def load_classifier(directory: Path) -> LoadedClassifier:
    """The classifier in evaluation mode; CheckpointError if the folder is no whole one."""
    config = read_classifier(directory)
    network = Classifier(config.network, len(config.class_names))
    load_weights(directory, network)
    return LoadedClassifier(config, network.eval())


class _Block(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))); the second convolution starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([_norm(channels), _norm(channels)])
        self.convs = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)])
        for parameter in self.convs[1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, S', S') -> (B, K, S', S')."""
        inner = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            inner = conv(functional.silu(norm(inner)))
        return x + inner


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(channels // _GROUP_CHANNELS, channels)
