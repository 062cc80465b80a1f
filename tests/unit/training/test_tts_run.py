"""A TTS run can start from the weights of a model that fits it, and says what does not."""

from pathlib import Path

import pytest
import torch

from latentspeech.core.errors import CheckpointError
from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.train.optim import OptimizerConfig
from latentspeech.training.tts_run import _start_from
from latentspeech.tts.model_directory import load_lm
from latentspeech.tts.training.task import TTSTask
from tests.tiny_models import CODEC, make_model_directory


def make_task(config: LatentLMConfig) -> TTSTask:
    size = CODEC.latent_dim
    return TTSTask(config, OptimizerConfig(), torch.zeros(size), torch.ones(size))


def test_weights_and_statistics_are_taken_over(tmp_path: Path) -> None:
    directory = make_model_directory(tmp_path)
    trained = load_lm(directory)
    task = make_task(trained.config)
    _start_from(task, directory)
    for name, value in trained.state_dict().items():
        assert torch.equal(task.model.state_dict()[name], value), name


def test_another_size_is_refused(tmp_path: Path) -> None:
    directory = make_model_directory(tmp_path)
    config = load_lm(directory).config
    backbone = config.backbone.model_copy(update={"num_layers": 3})
    task = make_task(config.model_copy(update={"backbone": backbone}))
    with pytest.raises(CheckpointError, match="does not fit this run's model"):
        _start_from(task, directory)
