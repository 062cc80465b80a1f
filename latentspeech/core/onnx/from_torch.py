"""Weights and runtimes of models that are in memory as torch modules."""

from typing import cast

from torch import nn

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.onnx.runtime import OnnxRuntime
from latentspeech.core.storage.weights import Weights


def module_weights(module: nn.Module) -> Weights:
    """The current weights of a module on the CPU, in float32.

    Raises:
        ConfigError: the module is on another device.
    """
    tensors = module.state_dict()
    devices = {tensor.device.type for tensor in tensors.values()}
    if devices - {"cpu"}:
        raise ConfigError(
            f"the onnx runtime runs on the CPU, the model is on {', '.join(sorted(devices))}; "
            "move it there or use the torch runtime"
        )
    arrays = {name: tensor.detach().float().numpy() for name, tensor in tensors.items()}
    return Weights(arrays, "the model in memory")


def onnx_runtime(model: LatentLM, num_threads: int = 1, int8: bool = False) -> OnnxRuntime:
    """The ONNX runtime of a LatentLM's current weights; ConfigError if it is not on the CPU."""
    weights = module_weights(cast(nn.Module, model))
    return OnnxRuntime(model.config, weights, num_threads, int8)
