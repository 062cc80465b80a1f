"""The diffusion head as two ONNX graphs, for few latents on a CPU.

The first computes the modulations of all solver steps from the hidden states, in one pass over the
weights. The second is a step of a solver: it runs the head, with and without the condition if there
is guidance, estimates x_0 and computes the next state. Its coefficients are an input, so that it
can take a step of any solver in `core/diffusion/solvers.py`.

N latents, M rows (N, or 2 N with guidance), S steps, D latent dimension, d width, m modulations.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from latentspeech.core.diffusion.head import DiffusionHead, HeadBlock
from latentspeech.core.diffusion.latent_diffusion import LatentDiffusion
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.diffusion.solvers import SolverKind, solver_steps
from latentspeech.core.nn.norm import AdaLNZero
from latentspeech.core.onnx.graph import Array, OnnxFunction, OnnxGraph, array

_NUM_COEFFICIENTS = 5  # a and b of x_0 = a x_t + b prediction, then three of a SolverStep


class _Course(NamedTuple):
    """The inputs of the graphs that depend only on the solver and the number of steps."""

    times: Array  # (S, 1, d) embedded
    coefficients: Array  # (S, 5)


class OnnxDiffusion:
    """Runs `LatentDiffusion.sample` in ONNX Runtime, with a copy of the weights."""

    def __init__(self, diffusion: LatentDiffusion, num_threads: int, int8: bool = False) -> None:
        self._diffusion = diffusion
        make_step = functools.partial(solver_step_graph, diffusion.head, int8=int8)
        self._modulate = OnnxFunction(
            functools.partial(modulation_graph, diffusion.head, int8), num_threads
        )
        self._step = {
            guided: OnnxFunction(functools.partial(make_step, guided=guided), num_threads)
            for guided in (False, True)
        }
        self._course = functools.lru_cache(maxsize=8)(self._make_course)

    def sample(
        self, cond: Tensor, noise: Tensor, uncond: Tensor | None, sampling: LatentSampling
    ) -> Tensor:
        """Does what `LatentDiffusion.sample` does: (N, d), (N, D), (N, d) or None -> (N, D)."""
        hidden = sampling.conditions(cond, uncond)
        course = self._course(sampling.num_steps, sampling.solver)
        (modulations,) = self._modulate({"hidden": array(hidden), "times": course.times})
        run = self._step[sampling.guided]
        cfg_scale = np.array(sampling.cfg_scale, np.float32)
        guidance = {"cfg_scale": cfg_scale} if sampling.guided else {}
        x = previous = array(sampling.noise_scale * noise)
        for of_step, coefficients in zip(modulations, course.coefficients, strict=True):
            inputs = {
                "x_t": x,
                "previous": previous,
                "modulations": of_step,
                "coefficients": coefficients,
            }
            x, previous = run(inputs | guidance)
        return torch.from_numpy(x)

    @torch.no_grad()
    def _make_course(self, num_steps: int, solver: SolverKind) -> _Course:
        process = self._diffusion.process
        grid = process.grid(num_steps)
        of_prediction = process.x0_coefficients(grid[:-1])
        steps = torch.tensor(solver_steps(solver, process.schedule, grid))  # (S, 3)
        return _Course(
            times=array(self._diffusion.head.time(grid[:-1]))[:, None],
            coefficients=array(torch.column_stack((*of_prediction, steps))),
        )


def modulation_graph(head: DiffusionHead, int8: bool) -> OnnxGraph:
    """hidden (M, cond), times (S, 1, d) -> modulations (S, M, m d), with 1 added to the scales."""
    graph = OnnxGraph("modulations", int8)
    hidden = graph.input("hidden", ["M", head.config.cond_dim])
    times = graph.input("times", ["S", 1, head.config.model_dim])
    condition = graph.silu(graph.op("Add", graph.linear(hidden, head.condition), times))
    layers = [*(_modulation(block) for block in head.blocks), head.modulation]
    weights = torch.cat([layer.projection.weight for layer in layers])  # (m d, d)
    product = graph.linear(condition, weights)
    # The second of each layer's two or three modulations is the scale.
    width = head.config.model_dim
    ones = [torch.eye(layer.num_chunks)[1].repeat_interleave(width) for layer in layers]
    graph.output("modulations", graph.op("Add", product, graph.constant(array(torch.cat(ones)))))
    return graph


def solver_step_graph(head: DiffusionHead, guided: bool, int8: bool) -> OnnxGraph:
    """A graph of one step of a solver, which returns the next state (N, D) and x_0 (N, D).

    Its inputs are x_t (N, D), the x_0 of the previous step (N, D), the modulations (M, m d) of one
    time, the step's coefficients (5,) and, if `guided`, cfg_scale.
    """
    config = head.config
    num_modulations = 3 * config.num_layers + 2
    graph = OnnxGraph("solver_step", int8)
    x_t = graph.input("x_t", ["N", config.latent_dim])
    previous = graph.input("previous", ["N", config.latent_dim])
    modulations = graph.input("modulations", ["M", num_modulations * config.model_dim])
    coefficients = graph.input("coefficients", [_NUM_COEFFICIENTS])
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
    numbers = graph.ops(
        _NUM_COEFFICIENTS, "Split", coefficients, axis=0, num_outputs=_NUM_COEFFICIENTS
    )
    x_0 = _weighted(graph, numbers[:2], (x_t, prediction))
    graph.output("next", _weighted(graph, numbers[2:], (x_t, x_0, previous)))
    graph.output("x_0", x_0)
    return graph


def _weighted(graph: OnnxGraph, weights: Sequence[str], values: Sequence[str]) -> str:
    products = [graph.op("Mul", *pair) for pair in zip(weights, values, strict=True)]
    return functools.reduce(lambda one, other: graph.op("Add", one, other), products)


def _modulated(graph: OnnxGraph, x: str, shift: str, scale: str) -> str:
    return graph.op("Add", shift, graph.op("Mul", x, scale))


def _modulation(block: torch.nn.Module) -> AdaLNZero:
    assert isinstance(block, HeadBlock)
    return block.modulation
