"""Builds the model of a run's configuration without memory, and says what a step of it is.

    python -m recipes.mllm.dry_run --config egs/mllm/conf/paper/latent_lm.yaml --processes 8

Nothing of the run needs to exist: the text tokenizer is cl100k, or a BPE of --vocab_size tokens, as
the configuration says, and pictures are 256 latents of 16 channels, or 256 of 16,384 codes.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.train.optim import learning_rate
from latentvision.mllm.models.build import build_page_model
from latentvision.mllm.models.page_model import PictureSpace
from latentvision.mllm.tokens.cl100k import SIZE
from latentvision.training.mllm_run import PageRunConfig


def dry_run(config: Path, processes: int, vocab_size: int = 2000) -> dict[str, Any]:
    """Parameters by part, vocabulary, and elements and rate of the steps."""
    run = load_config(PageRunConfig, config)
    text_size = SIZE if run.text_tokenizer.kind == "cl100k" else vocab_size
    space = PictureSpace(num_latents=256, latent_dim=16)
    if run.model.kind == "vq":
        space = PictureSpace(num_latents=256, num_codes=16_384)
    with torch.device("meta"):
        model = build_page_model(text_size, space, run.model)
    backbone, embedding = _count(model.lm.backbone), _count(model.lm.token_embedding)
    elements = run.data.batch_elements * run.train.accumulation * processes
    return {
        "kind": run.model.kind,
        "parameters": {
            "backbone": backbone,
            "embeddings": embedding,
            "pictures": _count(model) - backbone - embedding,
        },
        "vocabulary": model.vocabulary.size,
        "row_length": run.data.row_length,
        "elements_a_step": elements,
        "elements": elements * run.train.max_steps,
        "rates": {
            str(step): learning_rate(run.optimizer, step)
            for step in (1, run.optimizer.warmup_steps, run.train.max_steps)
        },
    }


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML of a run")
    parser.add_argument("--processes", type=int, default=8, help="GPUs that train")
    parser.add_argument("--vocab_size", type=int, default=2000, help="of a BPE")
    a = parser.parse_args()
    print(json.dumps(dry_run(a.config, a.processes, a.vocab_size), indent=2))


if __name__ == "__main__":
    run_recipe(main)
