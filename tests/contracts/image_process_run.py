"""A small training of each kind of generator, to be started as one process or several.

python image_process_run.py FOLDER EXP_NAME MAX_STEPS ACCUMULATION STRATEGY KIND [KIND ...]

FOLDER holds the tokenizers and latents of tests/tiny_image_runs.py.
"""

import sys
from pathlib import Path

import torch

from latentvision.training.generator_run import run_generator
from tests.tiny_image_runs import tiny_run

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, name, steps, accumulation, strategy, *kinds = sys.argv[1:]
    for kind in kinds:
        settings = {"accumulation": int(accumulation), "strategy": strategy}
        run = tiny_run(Path(folder), kind, int(steps), **settings)
        run_generator(run.model_copy(update={"exp_dir": Path(folder) / f"{name}-{kind}"}))
