"""Widens the feed-forward layers of a TTS model without changing what it says.

    python -m recipes.widen_model --model DIR --ffn_dim 1376 --head_ffn_dim 1280 --out WIDER

The new units start as those of a new model do, but nothing listens to them yet: their columns of
the projection down are zero (as in Net2Net, Chen et al. 2016, arXiv 1511.05641). A training run
with `start_from=WIDER` and the same sizes in its `model` then has more to learn with and has
forgotten nothing.
"""

import argparse
import shutil
from pathlib import Path

from torch import Tensor

from latentspeech.core.errors import ConfigError
from latentspeech.core.files import atomic_directory
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.model_directory import write_model
from latentspeech.core.train.seeding import seed_initialization
from latentspeech.tts.model import SPEECH
from latentspeech.tts.model_directory import KIND, load_tts
from recipes.one_line_errors import run_recipe

UP, DOWN = ("ffn.gate_up.weight", "ffn.up.weight"), "ffn.down.weight"


def widened(lm: LatentLM, ffn_dim: int, head_ffn_dim: int) -> LatentLM:
    """A model of these sizes that computes what `lm` does; ConfigError if one is smaller."""
    values = lm.config.model_dump()
    speech = values["modalities"][SPEECH]
    for settings, name, size in (
        (values["backbone"], "ffn_dim", ffn_dim),
        (speech, "head_ffn_dim", head_ffn_dim),
    ):
        if size < settings[name]:
            raise ConfigError(f"--{name} {size} is below the model's {settings[name]}")
        settings[name] = size
    wider = LatentLM(type(lm.config).model_validate(values))
    weights = wider.state_dict()
    for name, old in lm.state_dict().items():
        weights[name] = _joined(name, old, weights[name])
    wider.load_state_dict(weights)
    return wider


def _joined(name: str, old: Tensor, new: Tensor) -> Tensor:
    """The old weights with what is new beside them."""
    if old.shape == new.shape:
        return old
    joined = new.clone()
    if name.endswith(DOWN):  # (d, units)
        joined.zero_()[:, : old.shape[1]] = old
    elif name.endswith(UP):  # (units, d), or (2 units, d), gates first
        parts = 2 if "gate_up" in name else 1
        for mine, theirs in zip(joined.chunk(parts), old.chunk(parts), strict=True):
            mine[: len(theirs)] = theirs
    else:
        raise AssertionError(f"{name} has no units")
    return joined


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, required=True, help="TTS model directory")
    parser.add_argument("--ffn_dim", type=int, required=True, help="of the backbone's layers")
    parser.add_argument("--head_ffn_dim", type=int, required=True, help="of the diffusion head's")
    parser.add_argument("--seed", type=int, default=0, help="of the new weights")
    parser.add_argument("--out", type=Path, required=True, help="model directory to write")
    options = parser.parse_args()
    seed_initialization(options.seed)
    lm = load_tts(options.model, runtime="torch").lm
    wider = widened(lm, options.ffn_dim, options.head_ffn_dim)
    card = f"# The model in {options.model}, widened\n\nTo train on; its card says the rest.\n"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_directory(options.out) as temporary:
        shutil.copytree(options.model, temporary, dirs_exist_ok=True)
        write_model(temporary, KIND, wider.config, wider, card)


if __name__ == "__main__":
    run_recipe(main)
