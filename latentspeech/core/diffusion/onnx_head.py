"""The diffusion head as two ONNX graphs, for few latents on a CPU.

One makes the modulations of all solver steps from the hidden states, in one pass over the weights;
the other is the denoiser of one step: the head on both halves of guidance, and the estimate of x_0.
The solver stays that of `core/diffusion/solvers.py`.

N latents, M rows (N, or 2 N with guidance), S steps, D latent dimension, d width, m modulations.
"""

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from latentspeech.core.diffusion.head import DiffusionHead, HeadBlock
from latentspeech.core.diffusion.latent_diffusion import LatentDiffusion
from latentspeech.core.diffusion.prediction import x0_coefficients
from latentspeech.core.diffusion.schedules import NoiseSchedule
from latentspeech.core.diffusion.solvers import SolverKind, solve
from latentspeech.core.nn.norm import AdaLNZero
from latentspeech.core.onnx_graph import Array, OnnxFunction, OnnxGraph, array


class _Course(NamedTuple):
    """What follows from the number of steps alone."""

    grid: Tensor  # (S + 1,)
    places: dict[float, int]  # of a time on the grid
    times: Array  # (S, 1, d) embedded
    of_state: Array  # (S,) a and b of x_0 = a x_t + b prediction
    of_prediction: Array


class OnnxDiffusion:
    """`LatentDiffusion.sample` without torch; weights are copied when it is made."""

    def __init__(self, diffusion: LatentDiffusion, num_threads: int, int8: bool = False) -> None:
        self._diffusion = diffusion
        self._modulate = modulation_graph(diffusion.head, int8).compile(num_threads)
        self._denoise = {
            guided: denoiser_graph(diffusion.head, guided, int8).compile(num_threads)
            for guided in (False, True)
        }
        self._course = functools.lru_cache(maxsize=8)(self._make_course)

    def sample(
        self,
        cond: Tensor,
        noise: Tensor,
        uncond: Tensor | None,
        cfg_scale: float,
        num_steps: int,
        solver: SolverKind,
    ) -> Tensor:
        """As `LatentDiffusion.sample`: (N, d), (N, D) and (N, d) or None -> (N, D)."""
        hidden = cond if uncond is None else torch.cat((cond, uncond))
        course = self._course(num_steps)
        inputs = {"hidden": array(hidden), "times": course.times}
        denoiser = _OnnxDenoiser(
            schedule=self._diffusion.schedule,
            run=self._denoise[uncond is not None],
            course=course,
            modulations=self._modulate(inputs)[0],
            guidance={} if uncond is None else {"cfg_scale": np.array(cfg_scale, np.float32)},
        )
        return solve(solver, denoiser, noise, course.grid)

    @torch.no_grad()
    def _make_course(self, num_steps: int) -> _Course:
        diffusion = self._diffusion
        grid = diffusion.grid(num_steps)
        levels = diffusion.schedule.alpha_sigma(grid[:-1])
        of_state, of_prediction = x0_coefficients(diffusion.config.prediction_type, *levels)
        return _Course(
            grid=grid,
            places={time: place for place, time in enumerate(grid[:-1].tolist())},
            times=array(diffusion.head.time(grid[:-1]))[:, None],
            of_state=array(of_state),
            of_prediction=array(of_prediction),
        )


class _OnnxDenoiser(NamedTuple):
    """A head with its conditions, as solvers want it."""

    schedule: NoiseSchedule
    run: OnnxFunction
    course: _Course
    modulations: Array  # (S, M, m d)
    guidance: dict[str, Array]

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t (N, D) at time t () -> x_0 (N, D)."""
        place = self.course.places[float(t)]
        inputs = {
            "x_t": array(x_t),
            "modulations": self.modulations[place],
            "of_state": self.course.of_state[place : place + 1],
            "of_prediction": self.course.of_prediction[place : place + 1],
        }
        return torch.from_numpy(self.run(inputs | self.guidance)[0])


def modulation_graph(head: DiffusionHead, int8: bool) -> OnnxGraph:
    """hidden (M, cond), times (S, 1, d) -> modulations (S, M, m d), scales with their 1 added."""
    graph = OnnxGraph("modulations", int8)
    hidden = graph.input("hidden", ["M", head.config.cond_dim])
    times = graph.input("times", ["S", 1, head.config.model_dim])
    condition = graph.silu(graph.op("Add", graph.linear(hidden, head.condition), times))
    layers = [*(_modulation(block) for block in head.blocks), head.modulation]
    weights = torch.cat([layer.projection.weight for layer in layers])  # (m d, d)
    product = graph.linear(condition, weights)
    # In each layer the second of two or three is a scale.
    width = head.config.model_dim
    ones = [torch.eye(layer.num_chunks)[1].repeat_interleave(width) for layer in layers]
    graph.output("modulations", graph.op("Add", product, graph.constant(array(torch.cat(ones)))))
    return graph


def denoiser_graph(head: DiffusionHead, guided: bool, int8: bool) -> OnnxGraph:
    """x_t (N, D) and the modulations (M, m d) of one time -> x_0 (N, D)."""
    config = head.config
    num_modulations = 3 * config.num_layers + 2
    graph = OnnxGraph("denoiser", int8)
    x_t = graph.input("x_t", ["N", config.latent_dim])
    modulations = graph.input("modulations", ["M", num_modulations * config.model_dim])
    of_state = graph.input("of_state", [1])
    of_prediction = graph.input("of_prediction", [1])
    parts = graph.ops(num_modulations, "Split", modulations, axis=1, num_outputs=num_modulations)
    x = graph.linear(x_t, head.input)
    if guided:
        x = graph.op("Concat", x, x, axis=0)
    for number, block in enumerate(head.blocks):
        assert isinstance(block, HeadBlock)
        shift, scale, gate = parts[3 * number : 3 * number + 3]
        y = _modulated(graph, graph.rms_norm(x, block.norm), shift, scale)
        halves = graph.halves(graph.linear(y, block.ffn.gate_up), axis=1)
        y = graph.linear(graph.op("Mul", graph.silu(halves[0]), halves[1]), block.ffn.down)
        x = graph.op("Add", x, graph.op("Mul", gate, y))
    y = _modulated(graph, graph.rms_norm(x, head.norm), *parts[-2:])
    prediction = graph.linear(y, head.output)
    if guided:
        cfg_scale = graph.input("cfg_scale", [])
        with_condition, without = graph.halves(prediction, axis=0)
        difference = graph.op("Sub", with_condition, without)
        prediction = graph.op("Add", without, graph.op("Mul", cfg_scale, difference))
    of_x_t = graph.op("Mul", of_state, x_t)
    graph.output("x_0", graph.op("Add", of_x_t, graph.op("Mul", of_prediction, prediction)))
    return graph


def _modulated(graph: OnnxGraph, x: str, shift: str, scale: str) -> str:
    return graph.op("Add", shift, graph.op("Mul", x, scale))


def _modulation(block: torch.nn.Module) -> AdaLNZero:
    assert isinstance(block, HeadBlock)
    return block.modulation
