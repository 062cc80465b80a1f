"""Continues some prompts until all have ended, in a session whose rows start together.

B rows, D_k latent size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentspeech.core.lm.mixed_sequence import MixedSequence, TokenSpan
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.array_ops import AnyArray
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.prefix_store import Prefix
from latentspeech.core.lm.sampling.row_policy import GenerationLimits, RowPolicy
from latentspeech.core.lm.sampling.session import (
    Session,
    SessionRow,
    SessionStep,
    num_positions,
)


@dataclass(frozen=True)
class GeneratedElement:
    """The element that one step generated for one row."""

    kind: int  # TOKEN or 1 + modality index
    token_id: int  # at latents, the modality's slot token
    latent: AnyArray | None  # raw (D_k,)
    done: bool  # whether the row ended with this element
    truncated: bool  # whether a limit ended the row, and not the model


def generate(
    runtime: Runtime,
    prompts: Sequence[MixedSequence],
    sampling: SamplingConfig,
    limits: Sequence[GenerationLimits],
    generators: Sequence[Any],
    unconditional: Sequence[MixedSequence] | None = None,
    prefixes: Sequence[Prefix | None] | None = None,
    policy: RowPolicy | None = None,
) -> Iterator[list[GeneratedElement | None]]:
    """Continues each prompt; yields a list of B elements a step.

    An element is None where a row has ended, or has to wait for the backbone while others need not.

    Args:
        runtime: the runtime of a model in evaluation mode.
        prompts: B sequences, none empty. After a prompt that ends with BOD or a latent, latents of
            that modality follow.
        sampling: the configuration of all rows.
        limits: one a row, of the type that the policy needs.
        generators: one a row, of the runtime's `ops`; the only source of randomness.
        unconditional: B sequences for guidance, each of which ends as its prompt does; needed if
            and only if `sampling` is guided.
        prefixes: the sequences before each prompt and then those before each unconditional prompt,
            which may be empty after its prefix.
        policy: decides how rows continue; None: by BOD, EOD and slot tokens.

    Raises:
        ConfigError: unconditional prompts are missing or not needed.
    """
    num_rows = len(prompts)
    without = [None] * num_rows if unconditional is None else unconditional
    before = [None] * (2 * num_rows) if prefixes is None else prefixes
    halves = before[:num_rows], before[num_rows:] or [None] * num_rows
    parts = (prompts, limits, generators, without, *halves)
    rows = [SessionRow(*row) for row in zip(*parts, strict=True)]
    yield from generate_rows(runtime, rows, sampling, policy)


def generate_rows(
    runtime: Runtime,
    rows: Sequence[SessionRow],
    sampling: SamplingConfig,
    policy: RowPolicy | None = None,
) -> Iterator[list[GeneratedElement | None]]:
    """Does what `generate` does, for B rows that are given whole."""
    capacity = max(num_positions(row) for row in rows)
    session = Session(runtime, sampling, len(rows), capacity, policy)
    session.add(rows)
    while session.num_rows:
        yield _elements(session.step(), len(rows))


def token_span(ids: Sequence[int], target: bool = False) -> TokenSpan:
    """Makes a span from plain ids."""
    return TokenSpan(np.array(ids, dtype=np.int64), target)


def _elements(step: SessionStep, num_rows: int) -> list[GeneratedElement | None]:
    """The elements of a step by row; a row's id is its place, since all are added at once."""
    latents: list[AnyArray | None] = [None] * len(step.row_ids)
    for of_modality in step.latents.values():
        for place, latent in zip(of_modality.places.tolist(), of_modality.values, strict=True):
            latents[place] = latent
    elements: list[GeneratedElement | None] = [None] * num_rows
    columns = (step.kinds, step.token_ids, step.done, step.truncated)
    rows = zip(step.row_ids, latents, *(column.tolist() for column in columns), strict=True)
    for row_id, latent, kind, token_id, done, truncated in rows:
        elements[row_id] = GeneratedElement(kind, token_id, latent, done, truncated)
    return elements
