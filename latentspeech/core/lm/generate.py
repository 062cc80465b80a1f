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

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor

from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import (
    NO_NEIGHBOUR,
    TOKEN,
    MixedSequence,
    TokenSpan,
    collate,
    num_elements,
)
from latentspeech.core.lm.runtime import Runtime, RuntimeCache, SavedRow
from latentspeech.core.lm.token_sampling import sample_token
from latentspeech.core.lm.writing_row import GeneratedElement, GenerationLimits, WritingRow
from latentspeech.core.tensors import randn


class SamplingConfig(LatentSampling):
    """How elements are drawn: tokens, and the latents of every modality."""

    temperature: float = Field(0.0, ge=0, description="of tokens; 0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="probability mass of tokens kept")
    stop_bias: float = Field(0.0, description="logit added to EOD against going on")
    modalities: dict[str, LatentSampling] = Field(
        {}, description="by name of a modality: settings of its latents that differ from the above"
    )

    @field_validator("modalities")
    @classmethod
    def _complete(
        cls, modalities: dict[str, LatentSampling], info: ValidationInfo
    ) -> dict[str, LatentSampling]:
        """What a modality leaves open is set to the shared value, here and once for all."""
        shared = {key: info.data[key] for key in LatentSampling.model_fields if key in info.data}
        return {
            name: LatentSampling(**{**shared, **own.model_dump(exclude_unset=True)})
            for name, own in modalities.items()
        }

    @property
    def guided(self) -> bool:
        """Whether any latents need prompts without the condition."""
        return super().guided or any(own.guided for own in self.modalities.values())

    def of_modalities(self, names: Sequence[str]) -> dict[str, LatentSampling]:
        """The settings of each modality of a model, its own or the shared ones, by name.

        Raises:
            ConfigError: there are settings for a modality that `names` does not list.
        """
        unknown = sorted(set(self.modalities) - set(names))
        if unknown:
            raise ConfigError(
                f"sampling settings for modalities {unknown}; the model has {sorted(names)}, give "
                "settings for these only"
            )
        shared = LatentSampling(**self.model_dump(include=set(LatentSampling.model_fields)))
        return {name: self.modalities.get(name, shared) for name in names}


class Prefix(NamedTuple):
    """What stands before a prompt, read already."""

    saved: SavedRow
    hidden: Tensor  # (d,) behind its last element


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
            if `sampling` is guided.
        scripts: for each row the tokens among its latents, the last of which ends it; the row
            without the condition does not get them. Prompts end with BOD.
        prefixes: what stands before each prompt and then before each unconditional one, of which
            it may be all.
    """
    if sampling.guided != (unconditional is not None):
        raise ValueError("unconditional prompts are needed exactly when cfg_scale is not 1")
    model = runtime.model
    of_latents = sampling.of_modalities([modality.name for modality in model.config.modalities])
    sequences = [*prompts, *(unconditional or ())]
    rows = [
        WritingRow.start(model, prompt, limit)
        for prompt, limit in zip(prompts, limits, strict=True)
    ]
    for row, script in zip(rows, scripts or (), strict=scripts is not None):
        row.follow(script)
    before = prefixes or [None] * len(sequences)
    longest = max(
        num_elements(sequence) + (prefix.saved.end if prefix else 0)
        for sequence, prefix in zip(sequences, before, strict=True)
    )
    room = max(limit.max_elements for limit in limits)
    cache = runtime.open(len(sequences), longest + room + 1)
    state = _prefill(model, sequences, before, cache)
    while True:
        elements = _decide(runtime, state.hidden, rows, sampling, of_latents, generators)
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
    rows: Sequence[WritingRow],
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


def _is_scripted(row: WritingRow, element: GeneratedElement | None) -> bool:
    """Whether the element is a token of the row's script."""
    return row.is_scripted and element is not None and element.latent is None


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
    rows: list[WritingRow],
    sampling: SamplingConfig,
    of_latents: Mapping[str, LatentSampling],
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
            elements[i] = row.write_token(token)
        elif row.script:
            if row.token_comes(logits[i], sampling.stop_bias):
                elements[i] = row.write_scripted()
            else:
                wanting.setdefault(row.mode - 1, []).append(i)
        elif row.stops(logits[i], sampling.stop_bias):
            eod = model.config.modalities[row.mode - 1].eod_id
            elements[i] = row.write_token(eod)
        else:
            wanting.setdefault(row.mode - 1, []).append(i)
    for modality, indices in wanting.items():
        settings = of_latents[model.config.modalities[modality].name]
        latents = _sample_latents(
            runtime, modality, hidden, indices, len(rows), settings, generators
        )
        for i, latent in zip(indices, latents, strict=True):
            elements[i] = rows[i].write_latent(latent)
    return elements


def _sample_latents(
    runtime: Runtime,
    modality: int,
    hidden: Tensor,
    indices: list[int],
    num_rows: int,
    sampling: LatentSampling,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """One raw latent for each of the rows `indices`, (n, D_k)."""
    size = runtime.model.config.modalities[modality].latent_dim
    noise = torch.stack([randn((size,), generators[i], like=hidden) for i in indices])
    guided = hidden.shape[0] > num_rows
    normalized = runtime.sampler(modality).sample(
        cond=hidden[indices],
        noise=noise,
        uncond=hidden[[num_rows + i for i in indices]] if guided else None,
        sampling=sampling,
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


def _embed_ahead(rows: Sequence[WritingRow], like: Tensor) -> Tensor:
    """The inputs of the scripts' next tokens, (B, 1, d); rows without one get anything."""
    nothing = torch.zeros_like(like[0, 0])
    return torch.stack([row.script[0].x if row.on_trial else nothing for row in rows])[:, None]


def token_span(ids: Sequence[int], target: bool = False) -> TokenSpan:
    """A span from plain ids."""
    return TokenSpan(torch.tensor(ids, dtype=torch.long), target)
