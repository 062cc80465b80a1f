from pathlib import Path

import pytest
import yaml

from latentspeech.core.errors import CheckpointError
from latentspeech.core.train.run_config import check_same_config, config_hash, write_config

BASE = {"train": {"max_steps": 10, "seed": 1, "betas": (0.9, 0.95)}, "model": {"dim": 4}}


def test_free_keys_may_change_and_others_are_named():
    longer = {"train": {**BASE["train"], "max_steps": 20, "log_every": 3}, "model": {"dim": 4}}
    check_same_config(BASE, longer, Path("step"))
    assert config_hash(BASE) == config_hash(longer)
    check_same_config(BASE, {**BASE, "sampling": {"cfg_scale": 4.0}}, Path("step"))
    other = {"train": {**BASE["train"], "seed": 2}, "model": {"size": 4}}
    with pytest.raises(CheckpointError) as caught:
        check_same_config(BASE, other, Path("step"))
    for part in ("train.seed: 1 -> 2", "model.dim: 4 -> (absent)", "model.size: (absent) -> 4"):
        assert part in str(caught.value)
    assert config_hash(BASE) != config_hash(other)


def test_config_file_loads_as_it_is_and_names_the_commit(tmp_path):
    write_config(tmp_path / "config.yaml", BASE)
    text = (tmp_path / "config.yaml").read_text()
    assert text.startswith("# schema_version: 1\n# git_commit: ")
    assert yaml.safe_load(text) == {
        "train": {"max_steps": 10, "seed": 1, "betas": [0.9, 0.95]},
        "model": {"dim": 4},
    }
