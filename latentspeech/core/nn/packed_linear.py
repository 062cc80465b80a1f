"""Matrices packed for products with few rows on an x86 CPU, for inference alone.

A step of generation multiplies large matrices by a few rows. There the usual kernel spends most of
its time on rearranging the matrix, again at every call. FBGEMM (Khudia et al. 2021, arXiv
2101.05615) rearranges it once and keeps it in float16, which also halves what is read from memory;
products and sums are float32. Weights of a model directory are float16 already, so packing changes
results by rounding of the sums only. With 16 rows the time falls to about half
(benchmarks/image_throughput.py); with several hundred rows there is no gain.
"""

from typing import Any

import torch
from torch import Tensor, nn

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.attention import Attention
from latentspeech.core.nn.feed_forward import GeluFeedForward, SwiGLU
from latentspeech.core.nn.norm import AdaLNZero

# Modules whose matrices take nearly all the time.
_PACKED_IN = (Attention, SwiGLU, GeluFeedForward, AdaLNZero)


class PackedLinear(nn.Module):
    """x W^T with a packed float16 matrix W and float32 rows x."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        assert linear.bias is None, "the models' layers have no biases"
        self._packed: Any = torch.ops.quantized.linear_prepack_fp16(linear.weight.detach(), None)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., in_features) float32 -> (..., out_features)."""
        y: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._packed)
        return y


def can_pack() -> bool:
    """Whether this processor has the kernels."""
    return "fbgemm" in torch.backends.quantized.supported_engines


def pack_linears(model: nn.Module) -> None:
    """Packs the large matrices of a model on the CPU, in place; it cannot be trained or saved then.

    Raises:
        ConfigError: the processor lacks the kernels, or the model is not in float32 on the CPU.
    """
    if not can_pack():
        raise ConfigError(
            "this processor has no FBGEMM kernels, which need x86 with AVX2; leave the model as it "
            "is"
        )
    parameter = next(model.parameters())
    if parameter.device.type != "cpu" or parameter.dtype != torch.float32:
        raise ConfigError(
            f"the model is {parameter.dtype} on {parameter.device}; expected float32 on the CPU: "
            "move it there, or leave it as it is"
        )
    for module in model.modules():
        if isinstance(module, _PACKED_IN):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(module, name, PackedLinear(child))
