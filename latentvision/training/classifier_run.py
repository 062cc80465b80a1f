"""A training run of a classifier, from real pictures to a directory that says how good it is."""

import json
from pathlib import Path

import torch
from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.errors import DataError
from latentspeech.core.train.engine import TrainConfig, TrainResult, train
from latentspeech.core.train.optim import OptimizerConfig
from latentspeech.core.train.processes.launcher import is_main_process
from latentspeech.core.train.seeding import seed_initialization
from latentspeech.core.train.state.averaged_weights import load_averaged
from latentvision.data.image_batches import ImageBatchConfig
from latentvision.data.labelled_batches import LabelledBatches, check_classes
from latentvision.data.sources.config import SourceConfig, open_source
from latentvision.data.sources.source import ImageSource
from latentvision.eval.classifier import (
    Classifier,
    ClassifierConfig,
    ClassifierDescription,
    TestResult,
    save_classifier,
)
from latentvision.training.classifier_task import ClassifierTask

MODEL_NAME = "model"  # the classifier's directory, in that of its run


class ClassifierDataConfig(ImageBatchConfig):
    """Pictures to train and test on, and how they become batches."""

    train_source: SourceConfig = Field(description="real pictures to train on")
    test_source: SourceConfig = Field(
        description="real pictures to test on: the first `max_valid` while it trains, then all"
    )


class ClassifierRunConfig(Config):
    """Everything that decides a classifier's run."""

    exp_dir: Path = Field(description="folder of the run: config, checkpoints, metrics, model/")
    network: ClassifierConfig = Field(ClassifierConfig(), description="sizes")
    data: ClassifierDataConfig = Field(description="pictures")
    optimizer: OptimizerConfig = Field(
        OptimizerConfig(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
        description="optimizer and schedule",
    )
    train: TrainConfig = Field(description="length and hardware of the training")


def run_classifier(run: ClassifierRunConfig) -> TrainResult:
    """Starts or resumes the run; at its end all test pictures are classified, and model/ appears.

    Raises:
        DataError: training and test pictures have other classes.
    """
    data, seed, size = run.data, run.train.seed, run.network.image_size
    sources = [open_source(s, data.skip_bad) for s in (data.train_source, data.test_source)]
    names = tuple(check_classes(sources[0]))
    if tuple(sources[1].class_names) != names:
        raise DataError(
            f"{sources[1]} has the classes {', '.join(sources[1].class_names)}; expected those of "
            f"{sources[0]}: {', '.join(names)}"
        )
    seed_initialization(seed)
    network = Classifier(run.network, len(names))
    result = train(
        ClassifierTask(network, run.optimizer),
        LabelledBatches(sources[0], data, size, seed),
        LabelledBatches(sources[1], data, size, seed, valid=True),
        run.train,
        run.exp_dir,
        run.model_dump(mode="json"),
    )
    if result.reason == "max_steps" and is_main_process():
        _write(run, names, sources[1])
    return result


def measure_accuracy(network: Classifier, data: LabelledBatches) -> tuple[float, int]:
    """The share of a source's pictures whose class the network names, and their number."""
    right = count = 0
    device = next(network.parameters()).device
    with torch.inference_mode():
        for items in data.plan(0, 0):
            images, labels = data.load(items, seed=0)
            right += int((network(images.to(device)).argmax(dim=1).cpu() == labels).sum())
            count += len(labels)
    return right / count, count


def _write(run: ClassifierRunConfig, names: tuple[str, ...], test: ImageSource) -> None:
    """Tests the averaged weights on all test pictures and writes the classifier's directory."""
    network = Classifier(run.network, len(names))
    state = load_averaged(run.exp_dir, network)
    count = sum(len(test.shard(number)) for number in range(test.num_shards))
    whole = run.data.model_copy(update={"max_valid": count})
    accuracy, count = measure_accuracy(
        network, LabelledBatches(test, whole, run.network.image_size, run.train.seed, valid=True)
    )
    trained_on = json.dumps(run.data.train_source.model_dump(mode="json", exclude={"cache"}))
    description = ClassifierDescription(
        network=run.network,
        class_names=names,
        trained_on=trained_on,
        test=TestResult(accuracy=accuracy, num_pictures=count, source=str(test)),
    )
    card = (
        f"# Classifier of {len(names)} classes, {run.network.image_size} px\n\n"
        "It judges whether drawn pictures show what they should. It was trained on real pictures "
        f"alone, `{trained_on}`, for {state.step} steps of {run.data.batch_size} images, commit "
        f"{state.git_commit or 'unknown'}; averaged weights. It names the class of "
        f"{accuracy:.4f} of {count} test pictures, {test}.\n"
    )
    save_classifier(network, description, run.exp_dir / MODEL_NAME, card)
