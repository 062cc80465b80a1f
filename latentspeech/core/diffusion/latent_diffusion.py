"""Next-token diffusion of one modality: the diffusion process around one head (paper section 3.1).

Two things make it fast. In training several times and noises are drawn for a latent, while the
backbone runs once (section 3.2). In sampling the modulations of all solver steps are computed in
one pass over the weights.

N latents, D latent dimension, d width of the hidden state, R noise draws, S solver steps.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from latentspeech.core.diffusion.config import DiffusionConfig, DiffusionHeadConfig
from latentspeech.core.diffusion.head import DiffusionHead
from latentspeech.core.diffusion.process import DiffusionProcess, Predictor
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.tensors import randn


class LatentDiffusion(nn.Module):
    """Diffusion(h): P(latent | hidden state)."""

    def __init__(self, config: DiffusionConfig, head: DiffusionHeadConfig) -> None:
        super().__init__()
        self.process = DiffusionProcess(config)
        self.head = DiffusionHead(head)

    def loss(self, x0: Tensor, cond: Tensor, generator: torch.Generator) -> Tensor:
        """Equation 2 for each latent, the mean over its D channels and R draws.

        Args:
            x0: (N, D) normalised latents.
            cond: (N, d) the hidden states that predict the latents; gradients flow into them.
            generator: draws times and noise.

        Returns:
            (N,) float32.
        """
        draws = self.process.config.loss.num_noise_draws
        x0 = x0.float().repeat_interleave(draws, dim=0)  # (N R, D)
        t = self.process.sample_times((len(x0),), generator).to(x0.device)  # (N R,)
        noise = randn(tuple(x0.shape), generator, like=x0)
        network = partial(self.head, hidden=cond, repeats=draws)
        return self.process.loss(network, x0, noise, t).view(-1, draws).mean(dim=1)

    @torch.no_grad()
    def sample(
        self, cond: Tensor, noise: Tensor, uncond: Tensor | None, sampling: LatentSampling
    ) -> Tensor:
        """Draws latents for hidden states.

        Args:
            cond: (N, d) hidden states with the condition.
            noise: (N, D) standard normal, float32.
            uncond: (N, d) hidden states without it; unused if `sampling` has no guidance.
            sampling: solver, steps, guidance and the scale of the noise.

        Returns:
            (N, D) float32.
        """
        hidden = sampling.conditions(cond, uncond)  # (N, d) or (2 N, d)
        return self.process.sample(partial(self.predict_at, hidden), noise, sampling)

    def predict_at(self, hidden: Tensor, times: Tensor) -> Iterator[Predictor]:
        """Yields the head at each of the times (S,) as a function of x_t, given hidden (N, d)."""
        prepared = self.head.prepare_condition(hidden)
        modulations = self.head.modulations(prepared, times[:, None].to(hidden.device))
        by_time = [zip(*(part.unbind() for part in layer), strict=True) for layer in modulations]
        for of_layers in zip(*by_time, strict=True):
            yield partial(self.head.denoise, modulations=of_layers)
