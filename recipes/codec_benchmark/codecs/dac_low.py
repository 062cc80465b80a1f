"""DAC-low: DAC's 24 kHz network trained on speech with 2 or 4 codebooks.

Shechtman & Dekel 2024, arXiv 2410.08325. It is published as a checkpoint of descript-audio-codec;
its names are translated to those of `transformers`' DacModel, and its weight norm is folded in.

T samples.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn.functional import normalize

from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.eval.scorer import package_version
from latentspeech.core.eval.weight_files import load_strictly, load_tensors
from latentspeech.core.eval.weights import WeightSource, resolve
from recipes.codec_benchmark.codecs.transformers_codecs import DAC_24KHZ, Dac

_KILOBITS = {2: "1.5", 4: "3.0"}
_NUM_STRIDES = 4


class DacLow(Dac):
    """24 kHz, 75 Hz, not causal; 2 or 4 codebooks, each with its own training."""

    title = "DAC-low"

    def __init__(self, num_quantizers: int, random_weights: bool = False) -> None:
        if num_quantizers not in _KILOBITS:
            raise ConfigError(f"DAC-low is published with 2 and 4 codebooks, not {num_quantizers}")
        kilobits = _KILOBITS[num_quantizers]
        self.source = WeightSource(
            name=f"dac-low-{num_quantizers}",
            repo="ibm-research/DAC.speech.v1.0",
            weights=(f"weights_24khz_{kilobits}kbps_v1.0.pth",),
            licence="CDLA-Permissive-2.0",
            size_mb=296,
        )
        self.config_values = {**DAC_24KHZ, "n_codebooks": num_quantizers}
        super().__init__(num_quantizers, random_weights)
        self.name = f"dac-low-{num_quantizers}"

    def _published(self) -> Any:
        import transformers

        found = resolve(self.source)
        self.weights = f"{found.checkpoint()}; {package_version('transformers')}"
        stored = load_tensors(found.path)
        if not isinstance(stored, dict) or not isinstance(stored.get("state_dict"), dict):
            raise CheckpointError(
                f"{found.path} has no `state_dict`; expected a checkpoint of descript-audio-codec"
            )
        model: Any = transformers.DacModel(
            transformers.DacConfig(**dict[str, Any](self.config_values))
        )
        load_strictly(model, translate_dac(stored["state_dict"]), found.path)
        return model.float()


def translate_dac(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turns a state dict of descript-audio-codec with four strides into one of DacModel."""
    translated: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        module, _, leaf = name.rpartition(".")
        target = _module_name(module)
        if leaf == "weight_v":
            # Weight norm is direction times length, with one length for each output channel.
            direction = normalize(tensor.flatten(1), dim=1).view_as(tensor)
            translated[f"{target}.weight"] = direction * tensors[f"{module}.weight_g"]
        elif leaf != "weight_g":
            translated[f"{target}.{leaf}"] = tensor
    return translated


def _module_name(name: str) -> str:
    """The new name: encoder.block.2.block.0.block.1 is encoder.block.1.res_unit1.conv1."""
    side, _, rest = name.partition(".")
    if side not in ("encoder", "decoder"):
        return name
    place, _, inner = re.sub("^(block|model)\\.", "", rest).partition(".")
    index = int(place)
    if index == 0:
        return f"{side}.conv1"
    if index > _NUM_STRIDES:
        return f"{side}.snake1" if index == _NUM_STRIDES + 1 else f"{side}.conv2"
    return f"{side}.block.{index - 1}.{_part_of_block(side, inner)}"


def _part_of_block(side: str, inner: str) -> str:
    parts = inner.split(".")  # block, 3 or block, 0, block, 1
    index = int(parts[1])
    first_unit = 0 if side == "encoder" else 2
    if len(parts) == 2:
        if side == "encoder":
            return {3: "snake1", 4: "conv1"}[index]
        return {0: "snake1", 1: "conv_t1"}[index]
    unit = f"res_unit{index - first_unit + 1}"
    return f"{unit}.{('snake1', 'conv1', 'snake2', 'conv2')[int(parts[3])]}"
