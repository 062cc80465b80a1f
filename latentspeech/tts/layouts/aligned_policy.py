"""Writing in the layout `aligned`: which token comes next is known, the softmax head says when.

With p the probability that the head gives another latent, P(not yet) is the product of p over the
latents since the last token. The next token is written once P(not yet) <= 0.5, which is the median
of the time that the model expects: a draw at every latent would be restless, and the likelier
choice at every latent too slow.

N slots, n rows, L tokens of the longest script, V vocabulary, d model width.
"""

import sys
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import TOKEN, MixedSequence, TokenSpan
from latentspeech.core.lm.row_policy import Decision, GenerationLimits

_TINY = 1e-30  # of a probability, to take its logarithm


@dataclass(frozen=True, kw_only=True)
class AlignedLimits(GenerationLimits):
    """A row's script, and how long one of its tokens may last."""

    script: TokenSpan  # tokens among the latents; the last one ends the row
    max_run: int | None = None  # latents between two tokens; None: any number
    end_ids: frozenset[int] = field(default=frozenset(), init=False)
    allowed_ids: frozenset[int] | None = field(default=None, init=False)


@dataclass
class AlignedState:
    """Where each slot is in its script."""

    ids: Tensor  # (N, L) tokens of the scripts
    inputs: Tensor  # (N, L, d) what they are to the backbone
    place: Tensor  # (N,) of the next token
    last: Tensor  # (N,) place of the last token
    run: Tensor  # (N,) latents since the last token
    max_run: Tensor  # (N,)
    num_latents: Tensor  # (N,) in all
    min_latents: Tensor  # (N,) before the last token
    not_yet: Tensor  # (N,) P(not yet), float64


class AlignedPolicy:
    """Scripts for all rows, in one modality. A script's tokens are part of the condition."""

    tokens_are_condition = True

    def __init__(self, model: LatentLM, modality: int, stop_bias: float) -> None:
        """`stop_bias` is added to the logits of all tokens against the slot token."""
        self._model = model
        self._kind = 1 + modality
        self._slot_id = model.config.modalities[modality].slot_id
        self._stop_bias = stop_bias

    def init_state(self, num_slots: int) -> AlignedState:
        """Scripts of no tokens."""
        model = self._model
        ids = torch.zeros(num_slots, 0, dtype=torch.long, device=model.device)
        width = model.config.backbone.model_dim
        inputs = model.token_embedding.weight.new_zeros(num_slots, 0, width)
        numbers = torch.zeros(6, num_slots, dtype=torch.long, device=model.device)
        not_yet = torch.ones(num_slots, dtype=torch.float64, device=model.device)
        return AlignedState(ids, inputs, *numbers, not_yet)

    def start(
        self, state: AlignedState, slot: int, prompt: MixedSequence, limits: GenerationLimits
    ) -> AlignedState:
        """At the beginning of the row's script; the prompt ends with BOD."""
        assert isinstance(limits, AlignedLimits), "rows of the layout aligned need AlignedLimits"
        device, script = self._model.device, limits.script
        length = len(script.ids)
        missing = length - state.ids.shape[1]
        if missing > 0:
            state = replace(
                state,
                ids=functional.pad(state.ids, (0, missing)),
                inputs=functional.pad(state.inputs, (0, 0, 0, missing)),
            )
        beside = None if script.neighbours is None else script.neighbours.to(device)
        ids = script.ids.to(device)
        state.ids[slot, :length] = ids
        state.inputs[slot, :length] = self._model.embed_tokens(ids, beside)
        state.last[slot] = length - 1
        state.max_run[slot] = sys.maxsize if limits.max_run is None else limits.max_run
        state.min_latents[slot] = limits.min_latents
        for counter in (state.place, state.run, state.num_latents):
            counter[slot] = 0
        state.not_yet[slot] = 1
        return state

    def decide(self, logits: Tensor, state: AlignedState, uniforms: Tensor | None) -> Decision:
        """The script's next token where it is due, else a latent."""
        state.not_yet.mul_(self._probability_of_latent(logits))
        is_late = state.run >= state.max_run
        is_due = state.not_yet <= 0.5
        is_last = state.place == state.last
        comes = (is_due | is_late) & ~(is_last & (state.num_latents < state.min_latents))
        ids = state.ids.gather(1, state.place[:, None])[:, 0]
        decision = Decision(
            kinds=torch.where(comes, TOKEN, self._kind),
            token_ids=torch.where(comes, ids, self._slot_id),
            done=comes & is_last,
            truncated=comes & ~is_due,
        )
        state.place.add_(comes)
        state.run.add_(1).masked_fill_(comes, 0)
        state.num_latents.add_(~comes)
        state.not_yet.masked_fill_(comes, 1)
        return decision

    def token_inputs(self, state: AlignedState, token_ids: Tensor) -> Tensor:
        """Of the token before the next one, (n, d)."""
        return self._inputs_at(state, (state.place - 1).clamp(min=0))

    def trial_inputs(self, state: AlignedState) -> Tensor:
        """Of the next token, (n, d)."""
        return self._inputs_at(state, torch.minimum(state.place, state.last))

    def _inputs_at(self, state: AlignedState, place: Tensor) -> Tensor:
        return state.inputs[torch.arange(len(place), device=place.device), place]

    def _probability_of_latent(self, logits: Tensor) -> Tensor:
        """How likely another latent is, and no token; logits (n, V) -> (n,) float64."""
        latent = logits.double().softmax(1)[:, self._slot_id]
        if not self._stop_bias:
            return latent
        odds = latent.clamp(min=_TINY).log() - (1 - latent).clamp(min=_TINY).log()
        return torch.sigmoid(odds - self._stop_bias)
