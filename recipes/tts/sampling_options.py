"""Options of a program that speaks with a model: how latents are drawn, how many rows at a time."""

import argparse
from typing import get_args

from latentspeech.core.config import parse_config
from latentspeech.core.diffusion.solvers import SolverKind
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.tts.synthesizer import DEFAULT_SAMPLING

SOLVERS: tuple[str, ...] = get_args(SolverKind)


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """Adds --cfg_scale, --num_steps, --noise_scale and --solver, by default the synthesizer's."""
    default = DEFAULT_SAMPLING
    parser.add_argument(
        "--cfg_scale", type=float, default=default.cfg_scale, help="guidance of latents; 1 is off"
    )
    parser.add_argument(
        "--num_steps", type=int, default=default.num_steps, help="solver steps a latent"
    )
    parser.add_argument(
        "--noise_scale", type=float, default=default.noise_scale, help="of what latents start from"
    )
    parser.add_argument("--solver", choices=SOLVERS, default=default.solver)


def add_retries_option(parser: argparse.ArgumentParser, default: int) -> None:
    """Adds --retries."""
    parser.add_argument(
        "--retries",
        type=int,
        default=default,
        help="how often a sentence that came out wrong is spoken again",
    )


def add_batch_option(parser: argparse.ArgumentParser) -> None:
    """Adds --batch_size."""
    parser.add_argument(
        "--batch_size", type=one_or_more, default=16, help="how many are spoken at a time"
    )


def one_or_more(text: str) -> int:
    """The type of an option that counts things."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of 1 or more")
    return int(text)


def sampling_of(arguments: argparse.Namespace) -> SamplingConfig:
    """The sampling that the options ask for; ConfigError for what cannot be."""
    return make_sampling(
        cfg_scale=arguments.cfg_scale,
        num_steps=arguments.num_steps,
        noise_scale=arguments.noise_scale,
        solver=arguments.solver,
    )


def make_sampling(**changes: float | str) -> SamplingConfig:
    """The synthesizer's sampling with other values; ConfigError for what cannot be."""
    values = {**DEFAULT_SAMPLING.model_dump(), **changes}
    return parse_config(SamplingConfig, values, origin="sampling options")
