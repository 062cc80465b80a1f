"""The sigma-VAE's posterior and regulariser (paper section 4.3; 2.3 in the first version).

    z = mu + |sigma| eps,  eps ~ N(0, I);  sigma ~ N(0, C_sigma), one scalar an example, or fixed
    loss = reconstruction + beta ||mu||^2

The variance is given instead of learned, so it cannot collapse. But the encoder can escape it by
growing its means until the noise no longer matters; beta prevents that, and `log_sigma_ratio`
shows it. Here ||mu||^2 is a mean over valid frames and channels, so beta does not depend on length
or latent_dim.

The paper does not print C_sigma. sigma_std = sqrt(C_sigma) differs by modality: 0.625 for speech,
so that E|sigma| is 0.5, and 0.9375 for images, so that E|sigma| is 0.75. There is no default, which
would be wrong for one of them.

B batch, T frames, D latent size.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.tensors import check_shape, randn


def sample_posterior(config: SigmaVAEConfig, mu: Tensor, generator: torch.Generator) -> Tensor:
    """z = mu + |sigma| eps: (B, T, D) -> (B, T, D); an example has one sigma for all elements."""
    check_shape("mu", mu, "B", "T", "D")
    noise = randn(tuple(mu.shape), generator, like=mu)
    match config.kind:
        case "per_example":
            sigma = config.sigma_std * randn((len(mu), 1, 1), generator, like=mu)
            return mu + (sigma.abs() * noise).to(mu.dtype)
        case "fixed":
            return mu + (config.sigma_std * noise).to(mu.dtype)


def sample_posteriors(
    config: SigmaVAEConfig, mus: Sequence[Tensor], generator: torch.Generator
) -> list[Tensor]:
    """Does what `sample_posterior` does for N examples (T_n, D) of any lengths at once.

    Returns:
        N tensors (T_n, D), float32, on the device of the means.
    """
    lengths = [len(mu) for mu in mus]
    flat = torch.cat([*mus]).float()  # (T_1 + ... + T_N, D)
    check_shape("mus", flat, "T", "D")
    noise = randn(tuple(flat.shape), generator, like=flat)
    sigma = torch.full((len(mus),), config.sigma_std, device=flat.device)
    if config.kind == "per_example":
        sigma = sigma * randn((len(mus),), generator, like=flat).abs()
    repeats = torch.tensor(lengths, device=flat.device)
    sigma = sigma.repeat_interleave(repeats, output_size=len(flat))  # (T_1 + ... + T_N,)
    return list(torch.split(flat.addcmul_(noise, sigma[:, None]), lengths))


def mean_regularizer(config: SigmaVAEConfig, mu: Tensor, mask: Tensor | None = None) -> Tensor:
    """Beta times the mean of mu^2 over valid frames and channels: mu (B, T, D), mask (B, T) -> ().

    float32, whatever mu's dtype; 0 if no frame is valid.
    """
    return config.beta * mean_over_frames(mu.float().square().mean(dim=-1), mask)


def mean_over_frames(per_frame: Tensor, mask: Tensor | None) -> Tensor:
    """The mean of (B, T) over the frames where `mask` (B, T) is True -> (); 0 if there are none."""
    if mask is None:
        return per_frame.mean()
    return per_frame.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)


def log_sigma_ratio(config: SigmaVAEConfig, mu: Tensor, mask: Tensor | None = None) -> Tensor:
    """log(std(mu) / E|sigma|), to watch in codec training: mu (B, T, D), mask (B, T) -> ().

    std(mu) is the root of the mean over channels of each channel's variance over all valid frames.
    Near 0, means and noise are equally large; 2 or more shows that the encoder escapes the noise.
    """
    frames = mu.detach().flatten(0, 1) if mask is None else mu.detach()[mask]
    variance = frames.float().var(dim=0, correction=0).mean()
    return 0.5 * variance.log() - math.log(config.mean_abs_sigma)
