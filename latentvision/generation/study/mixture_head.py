"""A mixture of Gaussians in place of the diffusion head (GIVT, Tschannen et al. 2023).

p(x | h) = sum_k w_k N(x; mu_k, diag s_k^2), where one linear layer gives w, mu and s for a state h
(arXiv 2312.02116, 3.2: K mixtures of vectors with diagonal covariance). Guidance raises it to
p_cond^s p_uncond^(1 - s), which is no mixture; the draw is one of C candidates from p_cond, chosen
with the probability that their ratio of densities asks for. GIVT rejects candidates instead.

... any leading dimensions, D latent size, K mixtures, d width of the hidden state, C candidates.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

MIN_DEVIATION = 1e-4  # of normalised latents, so that a density stays finite


class Mixture(NamedTuple):
    """Parameters of p(x), float32."""

    log_weights: Tensor  # (..., K), logarithms that sum to 1
    means: Tensor  # (..., K, D)
    deviations: Tensor  # (..., K, D)

    def log_density(self, x: Tensor) -> Tensor:
        """Log p of x (..., D) -> (...), nats."""
        distance = (x[..., None, :] - self.means) / self.deviations  # (..., K, D)
        constant = 0.5 * math.log(2 * math.pi)
        of_channels = -0.5 * distance.square() - self.deviations.log() - constant
        return torch.logsumexp(self.log_weights + of_channels.sum(dim=-1), dim=-1)

    def draw(self, uniforms: Tensor, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Draws C vectors from each mixture.

        Args:
            uniforms: (..., C) in [0, 1), which choose the components.
            noise: (..., C, D) standard normal.
            temperature: factor of the deviations.

        Returns:
            (..., C, D).
        """
        sums = self.log_weights.exp().cumsum(dim=-1)  # (..., K)
        chosen = _place(sums, uniforms)  # (..., C)
        index = chosen[..., None].expand(*chosen.shape, self.means.shape[-1])  # (..., C, D)
        means, deviations = (part.gather(-2, index) for part in (self.means, self.deviations))
        return means + temperature * deviations * noise


class MixtureHead(nn.Module):
    """Maps hidden states to mixtures."""

    def __init__(self, model_dim: int, latent_dim: int, num_mixtures: int) -> None:
        super().__init__()
        self.latent_dim, self.num_mixtures = latent_dim, num_mixtures
        self.output = nn.Linear(model_dim, num_mixtures * (1 + 2 * latent_dim), bias=False)
        nn.init.normal_(self.output.weight, std=0.02)

    def forward(self, hidden: Tensor) -> Mixture:
        """Hidden (..., d) -> the mixture of each."""
        values = self.output(hidden).float()
        width = self.num_mixtures * self.latent_dim
        logits, means, raw = values.split((self.num_mixtures, width, width), dim=-1)
        shape = (*hidden.shape[:-1], self.num_mixtures, self.latent_dim)
        deviations = functional.softplus(raw) + MIN_DEVIATION
        return Mixture(logits.log_softmax(dim=-1), means.view(shape), deviations.view(shape))


def choose_guided(
    conditional: Mixture, unconditional: Mixture, candidates: Tensor, scale: float, uniforms: Tensor
) -> Tensor:
    """Chooses one candidate of each C by the density p_cond^scale p_uncond^(1 - scale).

    Args:
        conditional: mixtures (N, 1, ...), from which the candidates were drawn.
        unconditional: mixtures (N, 1, ...) without the condition.
        candidates: (N, C, D).
        scale: guidance; 1 chooses any of them.
        uniforms: (N, 1) in [0, 1).

    Returns:
        (N, D).
    """
    ratio = conditional.log_density(candidates) - unconditional.log_density(candidates)  # (N, C)
    sums = torch.softmax((scale - 1) * ratio, dim=-1).cumsum(dim=-1)
    chosen = _place(sums, uniforms)  # (N, 1)
    return candidates[torch.arange(len(chosen), device=chosen.device), chosen[:, 0]]


def _place(sums: Tensor, uniforms: Tensor) -> Tensor:
    """The first place (..., C) whose sum (..., K) exceeds each of the uniforms (..., C)."""
    place = torch.searchsorted(sums, uniforms.contiguous(), right=True)
    return place.clamp(max=sums.shape[-1] - 1)  # rounding may leave the last sum below 1
