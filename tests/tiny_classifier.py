"""A tiny classifier of the three classes of `tiny_pictures`, trained or with random weights."""

from pathlib import Path
from typing import Any

import torch

from latentspeech.core.config import parse_config
from latentvision.eval.classifier import (
    Classifier,
    ClassifierConfig,
    ClassifierDescription,
    TestResult,
    save_classifier,
)
from latentvision.training.classifier_run import ClassifierRunConfig
from tests.tiny_pictures import CLASSES, make_folder

NETWORK = ClassifierConfig(image_size=16, channels=(8, 16))


def classifier_run(folder: Path, max_steps: int = 30, **changes: Any) -> ClassifierRunConfig:
    """A run on 30 pictures, tested on 12 others; their red value tells the class."""
    for name, count in (("train", 30), ("test", 12)):
        if not (folder / name).is_dir():
            make_folder(folder / name, count)
    values = {
        "exp_dir": folder / "exp",
        "network": NETWORK.model_dump(),
        "data": {
            "batch_size": 10,
            "train_source": {"kind": "folder", "path": folder / "train"},
            "test_source": {"kind": "folder", "path": folder / "test"},
        },
        "optimizer": {"lr": 1e-2},
        "train": {"max_steps": max_steps, "log_every": 5, "ema_decay": 0.5},
    }
    return parse_config(ClassifierRunConfig, values | changes)


def write_classifier(directory: Path, accuracy: float = 0.8) -> Path:
    """A directory of random weights, which claims this accuracy on real pictures."""
    torch.manual_seed(0)
    network = Classifier(NETWORK, len(CLASSES))
    test = TestResult(accuracy=accuracy, num_pictures=12, source="test pictures")
    description = ClassifierDescription(
        network=NETWORK, class_names=CLASSES, trained_on="pictures", test=test
    )
    save_classifier(network, description, directory, "# tiny\n")
    return directory
