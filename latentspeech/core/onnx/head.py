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

from latentspeech.core.diffusion.config import DiffusionConfig, DiffusionHeadConfig
from latentspeech.core.diffusion.host_schedule import (
    solver_coefficients,
    time_grid,
    time_sinusoids,
)
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.diffusion.solver_steps import SolverKind
from latentspeech.core.errors import ConfigError
from latentspeech.core.onnx.graph import Array, OnnxFunction, OnnxGraph
from latentspeech.core.onnx.step_graphs import swiglu
from latentspeech.core.storage.weights import Weights

_NUM_COEFFICIENTS = 5  # a and b of x_0 = a x_t + b prediction, then three of a SolverStep


class _Course(NamedTuple):
    """The inputs of the graphs that depend only on the solver and the number of steps."""

    times: Array  # (S, 1, d) embedded
    coefficients: Array  # (S, 5)


class OnnxDiffusion:
    """Does what `LatentDiffusion.sample` does, in ONNX Runtime."""

    def __init__(
        self,
        process: DiffusionConfig,
        head: DiffusionHeadConfig,
        weights: Weights,
        num_threads: int,
        int8: bool = False,
    ) -> None:
        """Args: `weights` are the head's."""
        self._process, self._head = process, head
        size, width = head.time_embedding_dim, head.model_dim
        self._time = weights.take("time.first.weight", width, size)
        self._time_out = weights.take("time.second.weight", width, width)
        make_step = functools.partial(solver_step_graph, head, weights, int8=int8)
        self._modulate = OnnxFunction(
            functools.partial(modulation_graph, head, weights, int8), num_threads
        )
        self._step = {
            guided: OnnxFunction(functools.partial(make_step, guided=guided), num_threads)
            for guided in (False, True)
        }
        self._course = functools.lru_cache(maxsize=8)(self._make_course)

    def sample(
        self, cond: Array, noise: Array, uncond: Array | None, sampling: LatentSampling
    ) -> Array:
        """Draws latents: (N, d), (N, D), (N, d) or None -> (N, D)."""
        hidden, guidance = cond, {}
        if sampling.guided:
            if uncond is None:
                raise ConfigError(
                    f"cfg_scale = {sampling.cfg_scale} needs hidden states without the condition "
                    "and none were given; give uncond or set cfg_scale to 1"
                )
            hidden = np.concatenate((cond, uncond))
            guidance = {"cfg_scale": np.array(sampling.cfg_scale, np.float32)}
        course = self._course(sampling.num_steps, sampling.solver)
        (modulations,) = self._modulate({"hidden": hidden, "times": course.times})
        run = self._step[sampling.guided]
        x = previous = np.float32(sampling.noise_scale) * noise
        for of_step, coefficients in zip(modulations, course.coefficients, strict=True):
            inputs = {
                "x_t": x,
                "previous": previous,
                "modulations": of_step,
                "coefficients": coefficients,
            }
            x, previous = run(inputs | guidance)
        return x

    @np.errstate(over="ignore")  # of the sigmoid, which is 0 there
    def _make_course(self, num_steps: int, solver: SolverKind) -> _Course:
        grid = time_grid(self._process, num_steps)
        hidden = time_sinusoids(grid[:-1], self._head.time_embedding_dim) @ self._time.T
        times = (hidden / (1 + np.exp(-hidden))) @ self._time_out.T  # (S, d)
        return _Course(times[:, None], solver_coefficients(self._process, solver, num_steps))


def modulation_graph(head: DiffusionHeadConfig, weights: Weights, int8: bool) -> OnnxGraph:
    """hidden (M, cond), times (S, 1, d) -> modulations (S, M, m d), with 1 added to the scales."""
    width = head.model_dim
    graph = OnnxGraph("modulations", int8)
    hidden = graph.input("hidden", ["M", head.cond_dim])
    times = graph.input("times", ["S", 1, width])
    prepared = graph.linear(hidden, weights.take("condition.weight", width, head.cond_dim))
    condition = graph.silu(graph.op("Add", prepared, times))
    # Three modulations of each block, two of the output; the second is the scale.
    parts = [(f"blocks.{number}.", 3) for number in range(head.num_layers)] + [("", 2)]
    matrix = np.concatenate(
        [
            weights.take(f"{name}modulation.projection.weight", count * width, width)
            for name, count in parts
        ]
    )  # (m d, d)
    ones = [np.repeat(np.eye(count, dtype=np.float32)[1], width) for _, count in parts]
    product = graph.linear(condition, matrix)
    graph.output("modulations", graph.op("Add", product, graph.constant(np.concatenate(ones))))
    return graph


def solver_step_graph(
    head: DiffusionHeadConfig, weights: Weights, guided: bool, int8: bool
) -> OnnxGraph:
    """A graph of one step of a solver, which returns the next state (N, D) and x_0 (N, D).

    Its inputs are x_t (N, D), the x_0 of the previous step (N, D), the modulations (M, m d) of one
    time, the step's coefficients (5,) and, if `guided`, cfg_scale.
    """
    width, num_modulations = head.model_dim, 3 * head.num_layers + 2
    graph = OnnxGraph("solver_step", int8)
    x_t = graph.input("x_t", ["N", head.latent_dim])
    previous = graph.input("previous", ["N", head.latent_dim])
    modulations = graph.input("modulations", ["M", num_modulations * width])
    coefficients = graph.input("coefficients", [_NUM_COEFFICIENTS])
    parts = graph.ops(num_modulations, "Split", modulations, axis=1, num_outputs=num_modulations)
    gain = np.ones(width, dtype=np.float32)
    x = graph.linear(x_t, weights.take("input.weight", width, head.latent_dim), as_floats=True)
    if guided:
        x = graph.op("Concat", x, x, axis=0)
    for number in range(head.num_layers):
        shift, scale, gate = parts[3 * number : 3 * number + 3]
        y = _modulated(graph, graph.rms_norm(x, gain), shift, scale)
        y = swiglu(graph, y, weights.part(f"blocks.{number}.ffn"), width, head.ffn_dim)
        x = graph.op("Add", x, graph.op("Mul", gate, y))
    y = _modulated(graph, graph.rms_norm(x, gain), *parts[-2:])
    matrix = weights.take("output.weight", head.latent_dim, width)
    prediction = graph.linear(y, matrix, as_floats=True)
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
