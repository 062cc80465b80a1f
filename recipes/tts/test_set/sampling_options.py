"""Command line options of recipes that speak: how the model is sampled, and how many at a time."""

import argparse
from typing import get_args

import torch

from latentspeech.core.config import parse_config
from latentspeech.core.device import AUTO, DEVICE_HELP
from latentspeech.core.diffusion.solver_steps import SolverKind
from latentspeech.core.lm.sampling.config import SamplingConfig

SOLVERS: tuple[str, ...] = get_args(SolverKind)
_GPU_BATCH = 16


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """Adds --cfg_scale, --num_steps, --noise_scale and --solver, by default the model's own."""
    own = "default: as the model directory says"
    parser.add_argument("--cfg_scale", type=float, help=f"guidance scale, 1 is off; {own}")
    parser.add_argument("--num_steps", type=int, help=f"solver steps a latent; {own}")
    parser.add_argument("--noise_scale", type=float, help=f"scale of initial noise; {own}")
    parser.add_argument("--solver", choices=SOLVERS, help=own)


def add_retries_option(parser: argparse.ArgumentParser, default: int) -> None:
    """Adds --retries."""
    parser.add_argument(
        "--retries",
        type=int,
        default=default,
        help="how often a sentence that came out wrong is spoken again",
    )


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Adds --device, which `choose_device` reads; the default is a GPU if there is one."""
    parser.add_argument("--device", default=AUTO, help=DEVICE_HELP)


def add_batch_option(parser: argparse.ArgumentParser, default: int | None = _GPU_BATCH) -> None:
    """Adds --batch_size; a default of None stands for `default_batch_size`."""
    told = "" if default is not None else f"; default: 1 on a CPU, else {_GPU_BATCH}"
    parser.add_argument(
        "--batch_size",
        type=one_or_more,
        default=default,
        help=f"how many utterances are made at a time{told}",
    )


def default_batch_size(device: torch.device) -> int:
    """How many utterances are made at a time: one on a CPU, so that each is timed alone."""
    return 1 if device.type == "cpu" else _GPU_BATCH


def one_or_more(text: str) -> int:
    """The argparse type of an option that is a count of one or more."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of 1 or more")
    return int(text)


def sampling_of(arguments: argparse.Namespace, own: SamplingConfig) -> SamplingConfig:
    """The model's own sampling with the values of the options; ConfigError for invalid ones."""
    names = ("cfg_scale", "num_steps", "noise_scale", "solver")
    given = {name: getattr(arguments, name) for name in names}
    return change_sampling(own, **{name: one for name, one in given.items() if one is not None})


def change_sampling(own: SamplingConfig, **changes: float | str) -> SamplingConfig:
    """`own` with other values; ConfigError for invalid ones."""
    values = {**own.model_dump(), **changes}
    return parse_config(SamplingConfig, values, origin="sampling options")
