"""Makes a TTS model larger without changing its output, so that training can go on from it.

    python -m recipes.tts.grow_model --model DIR --num_layers 8 --ffn_dim 1376 --out LARGER

New weights are initialized as in a new model, except that the columns which read new units, and the
projections of a new layer into the residual stream, are zero. So new units and layers do not change
the output yet (Net2Net, Chen et al. 2016, arXiv 1511.05641). A training run with
`start_from=LARGER` and the same sizes in its `model` starts where the small model ended. Sizes that
are not given stay as they are.
"""

import argparse
import re
import shutil
from pathlib import Path

from torch import Tensor

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.storage.files import atomic_directory
from latentspeech.core.storage.model_directory import write_model
from latentspeech.core.train.seeding import seed_initialization
from latentspeech.tts.model import SPEECH
from latentspeech.tts.model_directory import KIND, load_lm

UP, DOWN = ("ffn.gate_up.weight", "ffn.up.weight"), "ffn.down.weight"
LAYER = re.compile(r"^backbone\.layers\.(\d+)\.(.*)")
RESIDUAL = ("attention.out.weight", DOWN)  # a layer's projections into the residual stream


def grown(
    lm: LatentLM,
    num_layers: int | None = None,
    ffn_dim: int | None = None,
    head_ffn_dim: int | None = None,
) -> LatentLM:
    """A model of these sizes that computes what `lm` does; ConfigError if one is smaller."""
    values = lm.config.model_dump()
    backbone, speech = values["backbone"], values["modalities"][SPEECH]
    for settings, name, size in (
        (backbone, "num_layers", num_layers),
        (backbone, "ffn_dim", ffn_dim),
        (speech, "head_ffn_dim", head_ffn_dim),
    ):
        if size is not None and size < settings[name]:
            raise ConfigError(f"--{name} {size} is below the model's {settings[name]}")
        settings[name] = size or settings[name]
    larger = LatentLM(type(lm.config).model_validate(values))
    places = _places(lm.config.backbone.num_layers, backbone["num_layers"])
    weights = larger.state_dict()
    for name, weight in weights.items():
        layer = LAYER.match(name)
        if layer and int(layer[1]) not in places and layer[2] in RESIDUAL:
            weight.zero_()
    for name, old in lm.state_dict().items():
        layer = LAYER.match(name)
        place = f"backbone.layers.{places[int(layer[1])]}.{layer[2]}" if layer else name
        weights[place] = _joined(name, old, weights[place])
    larger.load_state_dict(weights)
    return larger


def _places(old: int, new: int) -> list[int]:
    """The index of each old layer among the new ones, evenly spread."""
    return [i * new // old for i in range(old)]


def _joined(name: str, old: Tensor, new: Tensor) -> Tensor:
    """The old weights, extended to the new size."""
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
    parser.add_argument("--num_layers", type=int, help="layers of the backbone after growing")
    parser.add_argument("--ffn_dim", type=int, help="inner width of the backbone's layers")
    parser.add_argument("--head_ffn_dim", type=int, help="inner width of the diffusion head's")
    parser.add_argument("--seed", type=int, default=0, help="seed of the new weights")
    parser.add_argument("--out", type=Path, required=True, help="model directory to write")
    options = parser.parse_args()
    seed_initialization(options.seed)
    lm = load_lm(options.model)
    larger = grown(lm, options.num_layers, options.ffn_dim, options.head_ffn_dim)
    card = f"# The model in {options.model}, made larger\n\nTo train on; its card says the rest.\n"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_directory(options.out) as temporary:
        shutil.copytree(options.model, temporary, dirs_exist_ok=True)
        write_model(temporary, KIND, larger.config, larger, card)


if __name__ == "__main__":
    run_recipe(main)
