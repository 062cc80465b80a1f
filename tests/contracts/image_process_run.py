"""Small trainings of generators, models of pages or a classifier, by one process of several or one.

Words: FOLDER EXP_NAME MAX_STEPS ACCUMULATION STRATEGY KIND [KIND ...] [-- FOLDER ...]

FOLDER holds the tokenizers and latents of tests/tiny_image_runs.py, its folder pages the pages of
tests/tiny_page_models.py, and pictures those of tests/tiny_classifier.py. KIND is that of a
generator, pages- and that of a model of pages, or classifier.
"""

from pathlib import Path

import torch

from latentvision.training.classifier_run import run_classifier
from latentvision.training.generator_run import run_generator
from latentvision.training.mllm_run import run_pages
from tests import tiny_page_models
from tests.contracts.process_run import split
from tests.tiny_classifier import classifier_run
from tests.tiny_image_runs import tiny_run


def train(folder: str, name: str, steps: str, accumulation: str, strategy: str, kind: str) -> None:
    settings = {"accumulation": int(accumulation), "strategy": strategy}
    exp_dir = Path(folder) / f"{name}-{kind}"
    if kind == "classifier":
        train = {"max_steps": int(steps), "log_every": 1, **settings}
        run_classifier(classifier_run(Path(folder), train=train, exp_dir=exp_dir))
    elif kind.startswith("pages-"):
        own = kind.removeprefix("pages-")
        pages = tiny_page_models.tiny_run(Path(folder) / "pages", own, int(steps), **settings)
        run_pages(pages.model_copy(update={"exp_dir": exp_dir}))
    else:
        run = tiny_run(Path(folder), kind, int(steps), **settings)
        run_generator(run.model_copy(update={"exp_dir": exp_dir}))


def main(words: list[str]) -> int:
    """Trains as the words say; returns the exit status."""
    torch.set_num_threads(1)
    for one in split(words):
        for kind in one[5:]:
            train(*one[:5], kind)
    return 0
