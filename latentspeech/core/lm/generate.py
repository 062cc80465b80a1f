"""Writing a sequence: tokens and latents in one loop, many rows at once (paper 3.2, Inference).

Each row is either in token mode (softmax head) or in the mode of one modality (diffusion head); BOD
and EOD switch. Classifier-free guidance keeps a second cache for a prompt without the condition: it
is the second half of the rows of one batched cache, so that both halves cost one pass over the
weights. It is fed the same generated elements.

A row may have continuations: elements that are given to it, not written, each time it ends a span
of latents, so that text and latents take turns.

Every row draws from its own generator, so a batch of N gives what N single calls give.

B rows, R = B or 2 B cache rows, d model width, D_k latent size, V vocabulary.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.diffusion.solvers import SolverKind
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import (
    TOKEN,
    LatentSpan,
    MixedSequence,
    TokenSpan,
    collate,
    num_elements,
)
from latentspeech.core.lm.token_sampling import sample_token
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.tensors import randn


class SamplingConfig(Config):
    """How elements are drawn."""

    temperature: float = Field(0.0, ge=0, description="of tokens; 0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="probability mass of tokens kept")
    cfg_scale: float = Field(1.0, ge=0, description="guidance of latents; 1 is off")
    num_steps: int = Field(5, ge=1, description="solver steps a latent; 5 in the paper for speech")
    solver: SolverKind = Field("dpm_solver_pp_2m", description="integrator of the reverse process")
    stop_bias: float = Field(0.0, description="logit added to EOD against going on")


@dataclass(frozen=True)
class GenerationLimits:
    """When a row ends, or moves on to its next continuation, whatever the model says."""

    max_elements: int  # new elements, tokens and latents together
    min_latents: int = 1  # EOD is not heard before this many latents of the modality
    end_ids: frozenset[int] = frozenset()  # tokens that end the row


@dataclass(frozen=True)
class Continuation:
    """What is given to a row where it would have ended; both sequences end in the same mode."""

    given: MixedSequence
    unconditional: MixedSequence  # to the row without the condition
    limits: GenerationLimits  # from here on


@dataclass(frozen=True)
class GeneratedElement:
    """What one row wrote in one step."""

    kind: int  # TOKEN or 1 + modality index
    token_id: int  # at latents, the modality's slot token
    latent: Tensor | None  # raw (D_k,)
    done: bool  # the row has ended with this element
    truncated: bool  # the row or its part ended because max_elements was reached


@dataclass
class _Row:
    """The decoding state of one row."""

    mode: int  # TOKEN or 1 + modality index
    limits: GenerationLimits
    num_new: int = 0
    num_latents: int = 0  # since BOD
    done: bool = False
    waiting: deque[Continuation] = field(default_factory=deque)
    given: Continuation | None = None  # in this step, behind the element just written


@torch.inference_mode()
def generate(
    model: LatentLM,
    prompts: Sequence[MixedSequence],
    sampling: SamplingConfig,
    limits: Sequence[GenerationLimits],
    generators: Sequence[torch.Generator],
    unconditional: Sequence[MixedSequence] | None = None,
    continuations: Sequence[Sequence[Continuation]] | None = None,
) -> Iterator[list[GeneratedElement | None]]:
    """Continues each prompt; yields a list of B elements a step, None for rows that have ended.

    Args:
        model: in evaluation mode.
        prompts: B sequences, none empty. A prompt that ends with BOD or a latent goes on in its
            modality.
        sampling: shared by the rows.
        limits: one a row.
        generators: one a row, on the CPU; the only source of randomness.
        unconditional: B sequences for guidance, each ending as its prompt does; needed if and only
            if cfg_scale differs from 1.
        continuations: for each row what it gets, in turn, where it would have ended.
    """
    guided = sampling.cfg_scale != 1
    if guided != (unconditional is not None):
        raise ValueError("unconditional prompts are needed exactly when cfg_scale is not 1")
    sequences = [*prompts, *(unconditional or ())]
    rows = [_start_row(model, prompt, limit) for prompt, limit in zip(prompts, limits, strict=True)]
    for row, parts in zip(rows, continuations or (), strict=continuations is not None):
        row.waiting.extend(parts)
    longest = max(num_elements(sequence) for sequence in sequences)
    cache = model.backbone.init_state(len(sequences), longest + max(map(_room, rows)))
    hidden = _prefill(model, sequences, cache)  # (R, d)
    while True:
        elements = _decide(model, hidden, rows, sampling, generators)
        yield elements
        if all(row.done for row in rows):
            return
        hidden = _feed(model, rows, elements, cache, guided)


def _room(row: _Row) -> int:
    """Positions that a row may still fill."""
    return row.limits.max_elements + sum(
        part.limits.max_elements + max(num_elements(part.given), num_elements(part.unconditional))
        for part in row.waiting
    )


def _feed(
    model: LatentLM,
    rows: Sequence[_Row],
    elements: Sequence[GeneratedElement | None],
    cache: KVCache,
    guided: bool,
) -> Tensor:
    """Gives the elements just written, and what follows them, back to the model; (R, d)."""
    given = [row.given for row in rows]
    if any(given):
        written = [_written(row, one) for row, one in zip(rows, elements, strict=True)]
        parts = list(zip(written, given, strict=True))
        sequences = [[*one, *(part.given if part else ())] for one, part in parts]
        if guided:
            sequences += [[*one, *(part.unconditional if part else ())] for one, part in parts]
        for row in rows:
            row.given = None
        return _prefill(model, sequences, cache)
    x = _embed(model, elements)  # (B, 1, d)
    halves = 2 if guided else 1
    valid = None
    if any(row.done for row in rows):
        alive = [int(not row.done) for row in rows]
        valid = torch.tensor(alive * halves, device=x.device)
    states, _ = model.backbone.step(x.repeat(halves, 1, 1), cache, valid)
    return states[:, 0]


def _written(row: _Row, element: GeneratedElement | None) -> MixedSequence:
    """The element just written as a sequence, empty for a row that has ended."""
    if row.done or element is None:
        return []
    if element.latent is None:
        return [token_span([element.token_id])]
    return [LatentSpan(element.kind - 1, element.latent[None], False)]


def _start_row(model: LatentLM, prompt: MixedSequence, limits: GenerationLimits) -> _Row:
    row = _Row(TOKEN, limits)
    _enter(model, row, prompt)
    return row


def _enter(model: LatentLM, row: _Row, sequence: MixedSequence) -> None:
    """Moves the row to the mode in which a sequence leaves the model."""
    last = sequence[-1]
    if isinstance(last, LatentSpan):
        row.mode, row.num_latents = 1 + last.modality, len(last.latents)
    else:
        _switch(model, row, int(last.ids[-1]))


def _switch(model: LatentLM, row: _Row, token_id: int) -> None:
    """Moves the row to the mode that follows a token."""
    row.mode = TOKEN
    for modality, config in enumerate(model.config.modalities):
        if token_id == config.bod_id:
            row.mode, row.num_latents = 1 + modality, 0


def _prefill(model: LatentLM, sequences: Sequence[MixedSequence], cache: KVCache) -> Tensor:
    """Runs all prompts at once; the hidden state after the last element of each, (R, d)."""
    batch = collate(sequences, model.config.latent_dims).to(model.device)
    lengths = batch.lengths
    ragged = bool((lengths != lengths[0]).any())
    hidden, _ = model.backbone.step(model.embed(batch), cache, lengths if ragged else None)
    return hidden[torch.arange(len(sequences), device=hidden.device), lengths - 1]


def _decide(
    model: LatentLM,
    hidden: Tensor,
    rows: list[_Row],
    sampling: SamplingConfig,
    generators: Sequence[torch.Generator],
) -> list[GeneratedElement | None]:
    """The next element of every row that has not ended, from hidden (R, d)."""
    logits = model.token_logits(hidden[: len(rows)]).float()  # (B, V)
    elements: list[GeneratedElement | None] = [None] * len(rows)
    wanting: dict[int, list[int]] = {}  # modality: rows that write a latent
    for i, row in enumerate(rows):
        if row.done:
            continue
        if row.mode == TOKEN:
            token = sample_token(logits[i], sampling.temperature, sampling.top_p, generators[i])
            elements[i] = _write_token(model, row, token)
        elif _stops(model, row, logits[i], sampling):
            eod = model.config.modalities[row.mode - 1].eod_id
            elements[i] = _write_token(model, row, eod)
        else:
            wanting.setdefault(row.mode - 1, []).append(i)
    for modality, indices in wanting.items():
        latents = _sample_latents(model, modality, hidden, indices, len(rows), sampling, generators)
        for i, latent in zip(indices, latents, strict=True):
            elements[i] = _write_latent(model, rows[i], latent)
    return elements


def _stops(model: LatentLM, row: _Row, logits: Tensor, sampling: SamplingConfig) -> bool:
    """Whether EOD beats another latent. logits (V,)."""
    config = model.config.modalities[row.mode - 1]
    if not config.predict_end or row.num_latents < row.limits.min_latents:
        return False
    if row.waiting and row.num_new >= row.limits.max_elements - 1:
        return True  # there is no room left for more than EOD
    return bool(logits[config.eod_id] + sampling.stop_bias > logits[config.slot_id])


def _write_token(model: LatentLM, row: _Row, token_id: int) -> GeneratedElement:
    row.num_new += 1
    ended = token_id in row.limits.end_ids
    at_limit = row.num_new >= row.limits.max_elements
    if ended and row.waiting:
        row.given = row.waiting.popleft()
        row.limits, row.num_new = row.given.limits, 0
        _enter(model, row, row.given.given)
        return GeneratedElement(TOKEN, token_id, None, False, at_limit)
    row.done = ended or at_limit
    _switch(model, row, token_id)
    return GeneratedElement(TOKEN, token_id, None, row.done, at_limit and not ended)


def _write_latent(model: LatentLM, row: _Row, latent: Tensor) -> GeneratedElement:
    row.num_new += 1
    row.num_latents += 1
    row.done = row.num_new >= row.limits.max_elements
    slot = model.config.modalities[row.mode - 1].slot_id
    return GeneratedElement(row.mode, slot, latent, row.done, row.done)


def _sample_latents(
    model: LatentLM,
    modality: int,
    hidden: Tensor,
    indices: list[int],
    num_rows: int,
    sampling: SamplingConfig,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """One raw latent for each of the rows `indices`, (n, D_k)."""
    size = model.config.modalities[modality].latent_dim
    noise = torch.stack([randn((size,), generators[i], like=hidden) for i in indices])
    guided = hidden.shape[0] > num_rows
    normalized = model.diffusion(modality).sample(
        cond=hidden[indices],
        noise=noise,
        uncond=hidden[[num_rows + i for i in indices]] if guided else None,
        cfg_scale=sampling.cfg_scale,
        num_steps=sampling.num_steps,
        solver=sampling.solver,
    )
    return model.denormalize(modality, normalized)


def _embed(model: LatentLM, elements: Sequence[GeneratedElement | None]) -> Tensor:
    """The inputs that the elements just written make, (B, 1, d); ended rows get anything."""
    ids = [0 if element is None else element.token_id for element in elements]
    x = model.token_embedding(torch.tensor(ids, device=model.device))[:, None]  # (B, 1, d)
    for i, element in enumerate(elements):
        if element is not None and element.latent is not None:
            modality = element.kind - 1
            normalized = model.normalize(modality, element.latent)
            x[i, 0] = model.embed_latents(modality, normalized)
    return x


def token_span(ids: Sequence[int], target: bool = False) -> TokenSpan:
    """A span from plain ids."""
    return TokenSpan(torch.tensor(ids, dtype=torch.long), target)
