"""The diffusion process, for tensors of any rank and any network (paper section 3.1).

    x_t = alpha(t) x_0 + sigma(t) eps,  eps ~ N(0, I)

The network sees x_t and t and predicts one of four things:

    epsilon       eps                      the paper's Equation 2
    x0            x_0
    v_prediction  alpha eps - sigma x_0    Salimans and Ho 2022, arXiv 2202.00512; paper H.3
    flow          eps - x_0                the velocity of flow matching

For every schedule, each of them gives x_0 = a x_t + b prediction.

The times t have the shape of the first dimensions of x, or one that broadcasts to it. With one time
for each latent, x is (N, D) and t is (N,); with one time for each image, x is (B, T, D) or
(B, C, H, W) and t is (B,).

B rows, S times of a solver.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from latentspeech.core.diffusion.config import (
    EPSILON_START,
    MIN_ALPHA,
    DiffusionConfig,
)
from latentspeech.core.diffusion.guidance import guide
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.diffusion.schedules import NoiseSchedule, build_schedule
from latentspeech.core.diffusion.solvers import solve, time_grid
from latentspeech.core.tensors import check_shape

Network = Callable[[Tensor, Tensor], Tensor]  # x_t, t -> prediction of x_t's shape
Predictor = Callable[[Tensor], Tensor]  # x_t -> prediction, at a time that is set already
PredictAt = Callable[[Tensor], Iterable[Predictor]]  # times (S,) -> S predictors, one a time


class Noised(NamedTuple):
    """One training example of the network."""

    x_t: Tensor
    target: Tensor  # the correct prediction


class DiffusionProcess:
    """Adds noise as the schedule says, and draws data with a network that reverses this.

    Training, with one time an image:

        t = process.sample_times((len(images),), generator)
        loss = process.loss(network, images, noise, t).mean()

    Sampling:

        images = process.sample(at_each_time(network), noise, LatentSampling(num_steps=20))

    Sampling with guidance, where the network has to get conditions for twice the images:

        labels = sampling.conditions(labels, hidden_labels)  # (B,) each -> (2 B,)
        network = partial(network, labels=labels)
        images = process.sample(at_each_time(network), noise, sampling)

    """

    def __init__(self, config: DiffusionConfig) -> None:
        self.config = config
        self.schedule: NoiseSchedule = build_schedule(config.schedule)

    def sample_times(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draws times for training, float32 of this shape, on the generator's device."""
        config, device = self.config.loss, generator.device
        match config.time_sampling:
            case "uniform":
                t = torch.rand(shape, generator=generator, device=device)
            case "logit_normal":
                normal = torch.randn(shape, generator=generator, device=device)
                t = torch.sigmoid(config.logit_mean + config.logit_std * normal)
        return self.schedule.quantize(t)

    def noised(self, x0: Tensor, noise: Tensor, t: Tensor) -> Noised:
        """x_t and the target of the network, both of the shape of `x0` and `noise`."""
        _check_times(t, x0)
        check_shape("noise", noise, *x0.shape)
        levels = self.schedule.alpha_sigma(t)
        alpha, sigma = (level.reshape(*t.shape, *[1] * (x0.dim() - t.dim())) for level in levels)
        x_t = alpha * x0 + sigma * noise
        match self.config.prediction_type:
            case "epsilon":
                return Noised(x_t, noise)
            case "x0":
                return Noised(x_t, x0)
            case "v_prediction":
                return Noised(x_t, alpha * noise - sigma * x0)
            case "flow":
                return Noised(x_t, noise - x0)

    def loss(self, network: Network, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Equation 2: the squared error of the prediction.

        Args:
            network: called once, with x_t and t.
            x0: data.
            noise: standard normal, of the shape of `x0`.
            t: times in [0, 1], with fewer dimensions than x0.

        Returns:
            The mean over all dimensions of x0 that follow those of t, float32.
        """
        x_t, target = self.noised(x0, noise, t)
        prediction = network(x_t, t).float()
        check_shape("prediction", prediction, *x0.shape)
        error = (prediction - target).square()
        return error.flatten(t.dim()).mean(dim=-1)

    def x0_coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(a, b) of x_0 = a x_t + b prediction at times t, each of t's shape."""
        alpha, sigma = self.schedule.alpha_sigma(t)
        match self.config.prediction_type:
            case "epsilon":
                alpha = alpha.clamp(min=MIN_ALPHA)
                return 1 / alpha, -sigma / alpha
            case "x0":
                return torch.zeros_like(alpha), torch.ones_like(alpha)
            case "v_prediction":
                power = alpha.square() + sigma.square()
                return alpha / power, -sigma / power
            case "flow":
                return 1 / (alpha + sigma), -sigma / (alpha + sigma)

    def grid(self, num_steps: int) -> Tensor:
        """The times of a solver, from noise to data in equal steps, float32 (S + 1,)."""
        start = EPSILON_START if self.config.prediction_type == "epsilon" else 1.0
        return time_grid(num_steps) * start

    @torch.no_grad()
    def sample(self, predict_at: PredictAt, noise: Tensor, sampling: LatentSampling) -> Tensor:
        """Turns noise into data with a solver of the reverse process.

        Args:
            predict_at: the network. With guidance it sees x_t twice, (2 B, ...), and predicts
                with the condition in the first half and without it in the second.
            noise: (B, ...) standard normal, float32.
            sampling: solver, steps, guidance and the scale of the noise.

        Returns:
            (B, ...) float32.
        """
        cfg_scale = sampling.cfg_scale if sampling.guided else None
        denoiser = NetworkDenoiser(self, predict_at, cfg_scale)
        start = sampling.noise_scale * noise
        return solve(sampling.solver, denoiser, start, self.grid(sampling.num_steps))


def _check_times(t: Tensor, x0: Tensor) -> None:
    sizes = zip(t.shape, x0.shape, strict=False)
    if t.dim() >= x0.dim() or any(one not in (1, size) for one, size in sizes):
        raise ValueError(
            f"t has shape {tuple(t.shape)}; expected the first dimensions of x0, which is "
            f"{tuple(x0.shape)}, or 1 in their place, and fewer dimensions than x0"
        )


def at_each_time(network: Network) -> PredictAt:
    """Makes `network` fit for `DiffusionProcess.sample`; each row has the same time, t (B,)."""

    def predict(x_t: Tensor, t: Tensor) -> Tensor:
        return network(x_t, t.to(x_t.device).expand(len(x_t)))

    return lambda times: [partial(predict, t=t) for t in times]


@dataclass(frozen=True)
class NetworkDenoiser:
    """Estimates x_0 from the predictions of a network; solvers take such a `Denoiser`."""

    process: DiffusionProcess
    predict_at: PredictAt
    cfg_scale: float | None  # None: no guidance

    @property
    def schedule(self) -> NoiseSchedule:
        """The schedule of the process."""
        return self.process.schedule

    def at(self, times: Tensor) -> Iterator[Predictor]:
        """Yields for each of the times (S,) a function from x_t to x_0, both (B, ...)."""
        of_state, of_prediction = self.process.x0_coefficients(times)
        numbers = zip(of_state.tolist(), of_prediction.tolist(), strict=True)
        for predict, (a, b) in zip(self.predict_at(times), numbers, strict=True):
            yield partial(self._estimate, predict, a, b)

    def _estimate(self, predict: Predictor, a: float, b: float, x_t: Tensor) -> Tensor:
        """x_0 = a x_t + b prediction."""
        if self.cfg_scale is None:
            prediction = predict(x_t).to(x_t.dtype)
        else:
            conditional, unconditional = predict(torch.cat((x_t, x_t))).to(x_t.dtype).chunk(2)
            prediction = guide(conditional, unconditional, self.cfg_scale)
        return torch.add(a * x_t, prediction, alpha=b)
