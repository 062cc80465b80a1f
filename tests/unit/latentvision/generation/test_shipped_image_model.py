"""The image model that ships: small, described, and drawn from by one line."""

import torch

import latentvision
from latentvision.generation.models import DEFAULT_NAME
from latentvision.model_names import builtin_models
from latentvision.tokenizer.model_directory import find_tokenizer

MAX_BYTES = 15e6


def test_it_is_small_and_says_where_it_comes_from() -> None:
    directory = builtin_models()[DEFAULT_NAME]
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
    card = (directory / "README.md").read_text(encoding="utf-8")
    for word in (
        "Fashion-MNIST",
        "MIT licence",
        "bash egs/fashion/run.sh",
        "## Limits",
        "## Not for",
    ):
        assert word in card
    assert find_tokenizer(DEFAULT_NAME) == directory / "tokenizer"


def test_a_class_is_drawn_by_one_line() -> None:
    painter = latentvision.load()
    assert "sneaker" in painter.class_names
    first, again = (painter.sample("sneaker", seed=1, num_steps=4) for _ in range(2))
    assert first.pixels.shape == (1, 3, 28, 28)
    assert torch.equal(first.pixels, again.pixels)
    assert float(first.pixels.std()) > 0.2  # a picture, and not one grey
    assert "class sneaker" in first.provenance["Comment"]
