"""A classifier learns from pictures alone, resumes, and says how well it recognises real ones."""

from pathlib import Path

import pytest
import torch

from latentspeech.core.errors import CheckpointError, ConfigError, DataError, InputError
from latentvision.data.sources.config import open_source
from latentvision.eval.classifier import Classifier, ClassifierConfig, load_classifier
from latentvision.images.transforms import center_crop, to_tensor
from latentvision.training.classifier_run import run_classifier
from tests.tiny_classifier import classifier_run
from tests.tiny_pictures import CLASSES, make_folder


def test_it_learns_and_measures_itself_on_all_test_pictures(tmp_path: Path) -> None:
    run = classifier_run(tmp_path)
    assert run_classifier(run).reason == "max_steps"
    loaded = load_classifier(run.exp_dir / "model")
    test = loaded.config.test
    assert (test.num_pictures, test.source) == (12, str(tmp_path / "test"))
    assert test.accuracy >= 0.9  # a third by chance
    assert loaded.config.class_names == tuple(sorted(CLASSES))
    source = open_source(run.data.test_source)
    images = torch.stack([to_tensor(center_crop(source.picture(i), 16)) for i in range(12)])
    with torch.no_grad():
        found = loaded.network(images).argmax(dim=1)
    right = (found == torch.tensor([source.record(i).label for i in range(12)])).float().mean()
    assert float(right) == pytest.approx(test.accuracy)
    card = (run.exp_dir / "model" / "README.md").read_text()
    assert f"{test.accuracy:.4f} of 12 test pictures" in card
    assert "30 steps of 10 images" in card


def test_it_resumes_bit_for_bit(tmp_path: Path) -> None:
    whole = classifier_run(tmp_path, 4)
    run_classifier(whole)
    for steps in (2, 4):
        run_classifier(classifier_run(tmp_path, steps, exp_dir=tmp_path / "two"))
    one, other = (load_classifier(tmp_path / name / "model") for name in ("exp", "two"))
    weights = one.network.state_dict()
    assert all(torch.equal(weights[key], t) for key, t in other.network.state_dict().items())
    assert one.config == other.config


def test_an_unfinished_run_leaves_no_model(tmp_path: Path) -> None:
    train = {"max_steps": 50, "max_seconds": 1e-6}
    run = classifier_run(tmp_path, train=train)
    assert run_classifier(run).reason == "max_seconds"
    with pytest.raises(CheckpointError, match="no model directory"):
        load_classifier(run.exp_dir / "model")


def test_wrong_data_and_sizes_are_refused(tmp_path: Path) -> None:
    run = classifier_run(tmp_path)
    (tmp_path / "test" / "stripe").rename(tmp_path / "test" / "plaid")
    with pytest.raises(DataError, match="has the classes dot, field, plaid; expected"):
        run_classifier(run)
    flat = make_folder(tmp_path / "flat") / "dot"
    data = run.data.model_dump() | {"train_source": {"kind": "folder", "path": flat}}
    with pytest.raises(DataError, match="names 0 classes; expected at least 2"):
        run_classifier(classifier_run(tmp_path, data=data))
    with pytest.raises(ConfigError, match="channels has 12; expected multiples of 8"):
        classifier_run(tmp_path, network={"channels": (8, 12)})
    with pytest.raises(InputError, match="have 20 x 20 pixels; the classifier takes 16 x 16"):
        Classifier(ClassifierConfig(image_size=16), 3)(torch.zeros(1, 3, 20, 20))
