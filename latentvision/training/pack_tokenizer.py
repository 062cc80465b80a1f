"""Makes a model directory of a tokenizer run: the averaged weights of its newest checkpoint."""

import json
from pathlib import Path
from typing import Any

from latentspeech.core.config import load_config
from latentspeech.core.storage.files import atomic_directory
from latentspeech.core.train.engine import CONFIG_NAME
from latentspeech.core.train.metric_log import FILE_NAME
from latentspeech.core.train.state.averaged_weights import load_averaged
from latentspeech.core.train.state.checkpoint import RunState
from latentvision.tokenizer.model import Tokenizer
from latentvision.tokenizer.model_directory import save_tokenizer
from latentvision.training.tokenizer_run import TokenizerRunConfig


def pack_tokenizer(exp_dir: Path, directory: Path) -> None:
    """Writes the run's tokenizer into `directory`, which is replaced as a whole.

    Raises:
        CheckpointError: the run has no checkpoint, or it does not fit the run's config.yaml.
    """
    run = load_config(TokenizerRunConfig, exp_dir / CONFIG_NAME)
    tokenizer = Tokenizer(run.tokenizer)
    state = load_averaged(exp_dir, tokenizer, "tokenizer")
    with atomic_directory(directory) as temporary:
        save_tokenizer(tokenizer, temporary, _card(run, state, tokenizer, exp_dir))


def _card(run: TokenizerRunConfig, state: RunState, tokenizer: Tokenizer, exp_dir: Path) -> str:
    config = run.tokenizer
    count = sum(parameter.numel() for parameter in tokenizer.parameters())
    source = json.dumps(run.data.train_source.model_dump(mode="json", exclude={"cache"}))
    perceptual = run.loss.perceptual.kind if run.loss.perceptual else "none"
    rows = [
        f"# Image tokenizer, {config.image_size} px\n",
        f"A ViT autoencoder with a posterior of kind `{config.posterior.kind}`: an image becomes "
        f"{config.grid_size} x {config.grid_size} latents of {config.latent_dim} channels. "
        f"{count / 1e6:.1f}M parameters.\n",
        "| | |\n|---|---|",
        f"| training data | `{source}` |",
        f"| losses | {run.loss.pixels}, perceptual: {perceptual} |",
        f"| training | {state.step} steps of {run.data.batch_size} images on {state.world_size} "
        f"process(es), {state.seconds / 3600:.2f} h; averaged weights |",
        f"| commit | {state.git_commit or 'unknown'} |",
    ]
    scores = _last_scores(exp_dir / FILE_NAME)
    rows += [f"| {name} | {value} |" for name, value in sorted(scores.items())]
    return "\n".join(rows) + "\n"


def _last_scores(path: Path) -> dict[str, Any]:
    """The last validation in the log, by name."""
    if not path.is_file():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if any(name.startswith("valid/") for name in line)]
    return {k: v for k, v in found[-1].items() if k.startswith("valid/")} if found else {}
