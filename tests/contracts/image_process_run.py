"""A small training of generators, models of pages or a classifier, in one process or several.

python image_process_run.py FOLDER EXP_NAME MAX_STEPS ACCUMULATION STRATEGY KIND [KIND ...]

FOLDER holds the tokenizers and latents of tests/tiny_image_runs.py, its folder pages the pages of
tests/tiny_page_models.py, or the pictures of tests/tiny_classifier.py. KIND is that of a generator,
pages- and that of a model of pages, or classifier.
"""

import sys
from pathlib import Path

import torch

from latentvision.training.classifier_run import run_classifier
from latentvision.training.generator_run import run_generator
from latentvision.training.mllm_run import run_pages
from tests import tiny_page_models
from tests.tiny_classifier import classifier_run
from tests.tiny_image_runs import tiny_run

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, name, steps, accumulation, strategy, *kinds = sys.argv[1:]
    for kind in kinds:
        settings = {"accumulation": int(accumulation), "strategy": strategy}
        exp_dir = Path(folder) / f"{name}-{kind}"
        if kind == "classifier":
            train = {"max_steps": int(steps), "log_every": 1, **settings}
            run_classifier(classifier_run(Path(folder), train=train, exp_dir=exp_dir))
            continue
        if kind.startswith("pages-"):
            own = kind.removeprefix("pages-")
            pages = tiny_page_models.tiny_run(Path(folder) / "pages", own, int(steps), **settings)
            run_pages(pages.model_copy(update={"exp_dir": exp_dir}))
            continue
        run = tiny_run(Path(folder), kind, int(steps), **settings)
        run_generator(run.model_copy(update={"exp_dir": exp_dir}))
