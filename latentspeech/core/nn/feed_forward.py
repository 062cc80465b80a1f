"""The two feed-forward networks of the paper, without biases.

The image models and the MLLM use SwiGLU (Shazeer 2020, arXiv 2002.05202). The TTS model has the
Transformer of VALL-E 2 (Chen et al. 2024, arXiv 2406.05370; paper H.5), which we read as two plain
matrices: model width 1024, 24 layers and inner width 4096 then give 302M parameters, the "about
300M" of section 5.3; SwiGLU would give 403M.
"""

from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.nn.config import FeedForwardKind


class SwiGLU(nn.Module):
    """W_down(SiLU(W_gate x) * W_up x); gate and up share one matrix multiply."""

    def __init__(self, model_dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.gate_up = nn.Linear(model_dim, 2 * ffn_dim, bias=False)
        self.down = nn.Linear(ffn_dim, model_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., model_dim) -> (..., model_dim)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)  # (..., ffn_dim) each
        return self.down(functional.silu(gate) * up)


class GeluFeedForward(nn.Module):
    """W_down(GELU(W_up x))."""

    def __init__(self, model_dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.up = nn.Linear(model_dim, ffn_dim, bias=False)
        self.down = nn.Linear(ffn_dim, model_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., model_dim) -> (..., model_dim)."""
        return self.down(functional.gelu(self.up(x)))


def build_feed_forward(kind: FeedForwardKind, model_dim: int, ffn_dim: int) -> nn.Module:
    """The network named by `kind`."""
    match kind:
        case "swiglu":
            return SwiGLU(model_dim, ffn_dim)
        case "gelu":
            return GeluFeedForward(model_dim, ffn_dim)
