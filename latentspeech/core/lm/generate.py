"""Writing a sequence: tokens and latents in one loop, many rows at once (paper 3.2, Inference).

Each row is either in token mode (softmax head) or in the mode of one modality (diffusion head); BOD
and EOD switch. Classifier-free guidance keeps a second cache for a prompt without the condition: it
is the second half of the rows of one batched cache, so that both halves cost one pass over the
weights. It is fed the same generated elements.

A row may have a script: tokens that stand among its latents in a known order. Then the softmax
head only says when the next one comes, which is where the chance that none has come falls to one
half: the median of the time that the model gives the token before it. The next one is fed on trial
behind each latent, so that it costs no pass of its own when it comes.

Every row draws from its own generator, so a batch of N gives what N single calls give.

B rows, R = B or 2 B cache rows, d model width, D_k latent size, V vocabulary.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.diffusion.solvers import SolverKind
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import (
    NO_NEIGHBOUR,
    TOKEN,
    LatentSpan,
    MixedSequence,
    TokenSpan,
    collate,
    num_elements,
)
from latentspeech.core.lm.runtime import Runtime, RuntimeCache, SavedRow
from latentspeech.core.lm.token_sampling import sample_token
from latentspeech.core.tensors import randn

TINY = 1e-30  # of a probability, to take its logarithm
MAX_EXPONENT = 700.0  # what the largest float64 is a power of


class SamplingConfig(Config):
    """How elements are drawn."""

    temperature: float = Field(0.0, ge=0, description="of tokens; 0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="probability mass of tokens kept")
    noise_scale: float = Field(
        1.0, ge=0, description="of the noise that latents start from; below 1 nearer to the mean"
    )
    cfg_scale: float = Field(1.0, ge=0, description="guidance of latents; 1 is off")
    num_steps: int = Field(5, ge=1, description="solver steps a latent; 5 in the paper for speech")
    solver: SolverKind = Field("dpm_solver_pp_2m", description="integrator of the reverse process")
    stop_bias: float = Field(0.0, description="logit added to EOD against going on")


@dataclass(frozen=True)
class GenerationLimits:
    """When a row ends, or the next token of its script comes, whatever the model says."""

    max_elements: int  # new elements, tokens and latents together
    min_latents: int = 1  # EOD does not come before this many latents of the modality
    end_ids: frozenset[int] = frozenset()  # tokens that end the row
    max_run: int | None = None  # latents between two tokens of a script


@dataclass(frozen=True)
class GeneratedElement:
    """What one row wrote in one step."""

    kind: int  # TOKEN or 1 + modality index
    token_id: int  # at latents, the modality's slot token
    neighbours: Tensor | None  # (C,) of a script's token
    latent: Tensor | None  # raw (D_k,)
    done: bool  # the row has ended with this element
    truncated: bool  # a limit was reached


class Prefix(NamedTuple):
    """What stands before a prompt, read already."""

    saved: SavedRow
    hidden: Tensor  # (d,) behind its last element


class _ScriptToken(NamedTuple):
    """A token that will come."""

    token_id: int
    neighbours: Tensor | None  # (C,)
    x: Tensor  # (d,) the input it makes


@dataclass
class _Row:
    """The decoding state of one row."""

    mode: int  # TOKEN or 1 + modality index
    limits: GenerationLimits
    num_new: int = 0
    num_latents: int = 0  # since BOD
    done: bool = False
    is_scripted: bool = False
    script: deque[_ScriptToken] = field(default_factory=deque)  # what is left of it
    run: int = 0  # latents since the script's last token
    staying: float = 1.0  # probability that the next one has not come by now
    on_trial: bool = False  # the next one has been fed already


@torch.inference_mode()
def generate(
    runtime: Runtime,
    prompts: Sequence[MixedSequence],
    sampling: SamplingConfig,
    limits: Sequence[GenerationLimits],
    generators: Sequence[torch.Generator],
    unconditional: Sequence[MixedSequence] | None = None,
    scripts: Sequence[TokenSpan] | None = None,
    prefixes: Sequence[Prefix | None] | None = None,
) -> Iterator[list[GeneratedElement | None]]:
    """Continues each prompt; yields a list of B elements a step, None for rows that have ended.

    Args:
        runtime: of a model in evaluation mode.
        prompts: B sequences, none empty. A prompt that ends with BOD or a latent goes on in its
            modality.
        sampling: shared by the rows.
        limits: one a row.
        generators: one a row, on the CPU; the only source of randomness.
        unconditional: B sequences for guidance, each ending as its prompt does; needed if and only
            if cfg_scale differs from 1.
        scripts: for each row the tokens among its latents, the last of which ends it; the row
            without the condition does not get them. Prompts end with BOD.
        prefixes: what stands before each prompt and then before each unconditional one, of which
            it may be all.
    """
    guided = sampling.cfg_scale != 1
    if guided != (unconditional is not None):
        raise ValueError("unconditional prompts are needed exactly when cfg_scale is not 1")
    model = runtime.model
    sequences = [*prompts, *(unconditional or ())]
    rows = [_start_row(model, prompt, limit) for prompt, limit in zip(prompts, limits, strict=True)]
    for row, script in zip(rows, scripts or (), strict=scripts is not None):
        row.script.extend(_read_script(model, script))
        row.is_scripted = True
    before = prefixes or [None] * len(sequences)
    longest = max(
        num_elements(sequence) + (prefix.saved.end if prefix else 0)
        for sequence, prefix in zip(sequences, before, strict=True)
    )
    room = max(limit.max_elements for limit in limits)
    cache = runtime.open(len(sequences), longest + room + 1)
    state = _prefill(model, sequences, before, cache)
    while True:
        elements = _decide(runtime, state.hidden, rows, sampling, generators)
        yield elements
        if all(row.done for row in rows):
            return
        state = _feed(model, rows, elements, cache, state)


@torch.inference_mode()
def read_prefix(runtime: Runtime, sequence: MixedSequence) -> Prefix:
    """What prompts begin with, read once for all of them."""
    cache = runtime.open(1, num_elements(sequence))
    state = _prefill(runtime.model, [sequence], [None], cache)
    return Prefix(cache.save(0), state.hidden[0])


class _State(NamedTuple):
    """What the model knows after the elements fed last."""

    hidden: Tensor  # (R, d) after each row's last element
    ahead: Tensor  # (R, d) after the token on trial, where there is one
    num_fed: list[int]  # positions of each row that stay, but for the token on trial


def _feed(
    model: LatentLM,
    rows: Sequence[_Row],
    elements: Sequence[GeneratedElement | None],
    cache: RuntimeCache,
    state: _State,
) -> _State:
    """Gives the elements just written to the model, and the next tokens of scripts on trial."""
    scripted = [_is_scripted(row, e) for row, e in zip(rows, elements, strict=True)]
    without = [False] * (len(state.hidden) - len(rows))  # rows without the condition
    came = [row.on_trial and now for row, now in zip(rows, scripted, strict=True)] + without
    cache.keep([count + now for count, now in zip(state.num_fed, came, strict=True)])
    hidden = _where(came, state.ahead, state.hidden)
    fed = [not row.done and not now for row, now in zip(rows, came, strict=False)]
    for row, now in zip(rows, fed, strict=True):
        row.on_trial = now and bool(row.script)
    if without:
        fed += [now and not token for now, token in zip(fed, scripted, strict=True)]
    if not any(fed):
        return _State(hidden, hidden, [0] * len(fed))
    x = _embed(model, elements)  # (B, 1, d)
    if any(row.on_trial for row in rows):
        x = torch.cat((x, _embed_ahead(rows, x)), dim=1)  # (B, 2, d)
    new = cache.feed(x.repeat(2, 1, 1) if without else x)  # (R, T, d)
    return _State(_where(fed, new[:, 0], hidden), new[:, -1], [int(now) for now in fed])


def _where(rows: Sequence[bool], one: Tensor, other: Tensor) -> Tensor:
    """The rows (R, d) of `one` where `rows` says so, those of `other` elsewhere."""
    if all(rows):
        return one
    if not any(rows):
        return other
    return torch.where(torch.tensor(rows, device=one.device)[:, None], one, other)


def _is_scripted(row: _Row, element: GeneratedElement | None) -> bool:
    """Whether the element is a token of the row's script."""
    return row.is_scripted and element is not None and element.latent is None


def _start_row(model: LatentLM, prompt: MixedSequence, limits: GenerationLimits) -> _Row:
    """The row in the mode in which its prompt leaves the model."""
    row = _Row(TOKEN, limits)
    last = prompt[-1]
    if isinstance(last, LatentSpan):
        row.mode, row.num_latents = 1 + last.modality, len(last.latents)
    else:
        _switch(model, row, int(last.ids[-1]))
    return row


def _read_script(model: LatentLM, script: TokenSpan) -> list[_ScriptToken]:
    """The tokens of a script, embedded all at once."""
    given = script.neighbours
    if given is None:
        given = torch.full((len(script.ids), model.config.num_neighbours), NO_NEIGHBOUR)
    x = model.embed_tokens(script.ids.to(model.device), given.to(model.device))  # (n, d)
    beside = [None] * len(script.ids) if script.neighbours is None else script.neighbours
    return [*map(_ScriptToken, script.ids.tolist(), beside, x)]


def _switch(model: LatentLM, row: _Row, token_id: int) -> None:
    """Moves the row to the mode that follows a token."""
    row.mode = TOKEN
    for modality, config in enumerate(model.config.modalities):
        if token_id == config.bod_id:
            row.mode, row.num_latents = 1 + modality, 0


def _prefill(
    model: LatentLM,
    sequences: Sequence[MixedSequence],
    prefixes: Sequence[Prefix | None],
    cache: RuntimeCache,
) -> _State:
    """Runs all prompts at once, behind what stands before them."""
    for row, prefix in enumerate(prefixes):
        if prefix is not None:
            cache.load(row, prefix.saved)
    batch = collate(sequences, model.config.latent_dims).to(model.device)
    hidden = cache.prefill(model.embed(batch), batch.lengths.tolist())
    for row, (sequence, prefix) in enumerate(zip(sequences, prefixes, strict=True)):
        if prefix is not None and not sequence:
            hidden[row] = prefix.hidden
    return _State(hidden, hidden, [0] * len(sequences))


def _decide(
    runtime: Runtime,
    hidden: Tensor,
    rows: list[_Row],
    sampling: SamplingConfig,
    generators: Sequence[torch.Generator],
) -> list[GeneratedElement | None]:
    """The next element of every row that has not ended, from hidden (R, d)."""
    model = runtime.model
    logits = model.token_logits(hidden[: len(rows)]).float()  # (B, V)
    elements: list[GeneratedElement | None] = [None] * len(rows)
    wanting: dict[int, list[int]] = {}  # modality: rows that write a latent
    for i, row in enumerate(rows):
        if row.done:
            continue
        if row.mode == TOKEN:
            token = sample_token(logits[i], sampling.temperature, sampling.top_p, generators[i])
            elements[i] = _write_token(model, row, token)
        elif row.script:
            probability = _probability_of_latent(model, row, logits[i], sampling)
            if _token_comes(row, probability):
                elements[i] = _write_scripted(row)
            else:
                wanting.setdefault(row.mode - 1, []).append(i)
        elif _stops(model, row, logits[i], sampling):
            eod = model.config.modalities[row.mode - 1].eod_id
            elements[i] = _write_token(model, row, eod)
        else:
            wanting.setdefault(row.mode - 1, []).append(i)
    for modality, indices in wanting.items():
        latents = _sample_latents(
            runtime, modality, hidden, indices, len(rows), sampling, generators
        )
        for i, latent in zip(indices, latents, strict=True):
            elements[i] = _write_latent(model, rows[i], latent)
    return elements


def _stops(model: LatentLM, row: _Row, logits: Tensor, sampling: SamplingConfig) -> bool:
    """Whether EOD beats another latent. logits (V,)."""
    config = model.config.modalities[row.mode - 1]
    if not config.predict_end or row.num_latents < row.limits.min_latents:
        return False
    return bool(logits[config.eod_id] + sampling.stop_bias > logits[config.slot_id])


def _probability_of_latent(
    model: LatentLM, row: _Row, logits: Tensor, sampling: SamplingConfig
) -> float:
    """How likely another latent is, and no token, by logits (V,)."""
    slot = model.config.modalities[row.mode - 1].slot_id
    latent = float(logits.double().softmax(0)[slot])
    if not sampling.stop_bias:
        return latent
    odds = math.log(max(latent, TINY)) - math.log(max(1 - latent, TINY)) - sampling.stop_bias
    return 1 / (1 + math.exp(min(-odds, MAX_EXPONENT)))


def _token_comes(row: _Row, probability: float) -> bool:
    """Whether the script's next token is due, by the probability of a latent."""
    row.staying *= probability
    if len(row.script) == 1 and row.num_latents < row.limits.min_latents:
        return False  # it would end the row
    longest = row.limits.max_run
    return row.staying <= 0.5 or (longest is not None and row.run >= longest)


def _write_scripted(row: _Row) -> GeneratedElement:
    at_limit = row.staying > 0.5
    row.num_new += 1
    row.run, row.staying = 0, 1.0
    token_id, neighbours, _ = row.script.popleft()
    row.done = not row.script or row.num_new >= row.limits.max_elements
    truncated = at_limit or bool(row.script and row.done)
    return GeneratedElement(TOKEN, token_id, neighbours, None, row.done, truncated)


def _write_token(model: LatentLM, row: _Row, token_id: int) -> GeneratedElement:
    row.num_new += 1
    ended = token_id in row.limits.end_ids
    row.done = ended or row.num_new >= row.limits.max_elements
    _switch(model, row, token_id)
    return GeneratedElement(TOKEN, token_id, None, None, row.done, row.done and not ended)


def _write_latent(model: LatentLM, row: _Row, latent: Tensor) -> GeneratedElement:
    row.num_new += 1
    row.num_latents += 1
    row.run += 1
    row.done = row.num_new >= row.limits.max_elements
    slot = model.config.modalities[row.mode - 1].slot_id
    return GeneratedElement(row.mode, slot, None, latent, row.done, row.done)


def _sample_latents(
    runtime: Runtime,
    modality: int,
    hidden: Tensor,
    indices: list[int],
    num_rows: int,
    sampling: SamplingConfig,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """One raw latent for each of the rows `indices`, (n, D_k)."""
    size = runtime.model.config.modalities[modality].latent_dim
    noise = torch.stack([randn((size,), generators[i], like=hidden) for i in indices])
    guided = hidden.shape[0] > num_rows
    normalized = runtime.sampler(modality).sample(
        cond=hidden[indices],
        noise=sampling.noise_scale * noise,
        uncond=hidden[[num_rows + i for i in indices]] if guided else None,
        cfg_scale=sampling.cfg_scale,
        num_steps=sampling.num_steps,
        solver=sampling.solver,
    )
    return runtime.model.denormalize(modality, normalized)


def _embed(model: LatentLM, elements: Sequence[GeneratedElement | None]) -> Tensor:
    """The inputs that the elements just written make, (B, 1, d); ended rows get anything."""
    if len(elements) == 1 and elements[0] is not None and elements[0].latent is not None:
        return _embed_latent(model, elements[0])[None, None]
    ids = [0 if element is None else element.token_id for element in elements]
    neighbours = torch.full((len(ids), model.config.num_neighbours), NO_NEIGHBOUR)
    for i, element in enumerate(elements):
        if element is not None and element.neighbours is not None:
            neighbours[i] = element.neighbours
    token_ids = torch.tensor(ids, device=model.device)
    x = model.embed_tokens(token_ids, neighbours.to(model.device))[:, None]  # (B, 1, d)
    for i, element in enumerate(elements):
        if element is not None and element.latent is not None:
            x[i, 0] = _embed_latent(model, element)
    return x


def _embed_latent(model: LatentLM, element: GeneratedElement) -> Tensor:
    """The input that a latent makes, (d,)."""
    assert element.latent is not None
    modality = element.kind - 1
    return model.embed_latents(modality, model.normalize(modality, element.latent))


def _embed_ahead(rows: Sequence[_Row], like: Tensor) -> Tensor:
    """The inputs of the scripts' next tokens, (B, 1, d); rows without one get anything."""
    nothing = torch.zeros_like(like[0, 0])
    return torch.stack([row.script[0].x if row.on_trial else nothing for row in rows])[:, None]


def token_span(ids: Sequence[int], target: bool = False) -> TokenSpan:
    """A span from plain ids."""
    return TokenSpan(torch.tensor(ids, dtype=torch.long), target)
