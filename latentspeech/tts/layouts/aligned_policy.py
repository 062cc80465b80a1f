"""The row policy of the layout `aligned`: the softmax head decides when the next known token comes.

If p is the probability of another latent by the head, P(not yet) is the product of p over the
latents since the last token. The next token is written once P(not yet) <= 0.5, which is the median
of the time that the model expects. Drawing at every latent would make the timing irregular, and
taking the likelier choice at every latent would be too slow.

N slots, n rows, L tokens of the longest script and one more, V vocabulary, d model width.
"""

import sys
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.lm.mixed_sequence import MixedSequence, TokenSpan
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.array_ops import AnyArray, Integers
from latentspeech.core.lm.sampling.row_policy import Decision, GenerationLimits

_TINY = 1e-30  # smallest probability whose logarithm is taken
_MAX_EXPONENT = 700.0  # e to it is still a float64


@dataclass(frozen=True, kw_only=True)
class AlignedLimits(GenerationLimits):
    """A row's script of tokens, and the longest time between two of them."""

    script: TokenSpan  # tokens among the latents; the last one ends the row
    max_run: int | None = None  # latents between two tokens; None: any number
    end_ids: frozenset[int] = field(default=frozenset(), init=False)
    allowed_ids: frozenset[int] | None = field(default=None, init=False)


@dataclass
class AlignedState:
    """The position of each slot in its script."""

    ids: Integers  # (N, L) tokens of the scripts, each with room for one more at its end
    inputs: AnyArray  # (N, L, d) the tokens' inputs to the backbone
    place: Integers  # (N,) place of the next token
    last: Integers  # (N,) place of the last token
    min_latents: Integers  # (N,) least number of latents before the last token
    num_latents: Integers  # (N,) number of latents so far
    max_run: Integers  # (N,) most latents between two tokens
    run: Integers  # (N,) latents since the last token
    not_yet: NDArray[np.float64]  # (N,) P(not yet)


class AlignedPolicy:
    """Follows the scripts of all rows, in one modality; their tokens are part of the condition."""

    tokens_are_condition = True

    def __init__(self, runtime: Runtime, modality: int, stop_bias: float) -> None:
        """`stop_bias` is added to the logits of all tokens except the slot token."""
        self._runtime = runtime
        self._kind = 1 + modality
        self._slot_id = runtime.config.modalities[modality].slot_id
        self._stop_bias = stop_bias

    def init_state(self, num_slots: int) -> AlignedState:
        """Makes a state with empty scripts."""
        ids = np.zeros((num_slots, 0), dtype=np.int64)
        width = self._runtime.config.backbone.model_dim
        inputs = self._runtime.ops.zeros(num_slots, 0, width)
        place, last, least, count, max_run, run = np.zeros((6, num_slots), dtype=np.int64)
        not_yet = np.ones(num_slots)
        return AlignedState(ids, inputs, place, last, least, count, max_run, run, not_yet)

    def start(
        self, state: AlignedState, slot: int, prompt: MixedSequence, limits: GenerationLimits
    ) -> None:
        """Puts a slot at the beginning of its row's script; the prompt ends with BOD."""
        assert isinstance(limits, AlignedLimits), "rows of the layout aligned need AlignedLimits"
        script, ops = limits.script, self._runtime.ops
        length = len(script.ids)
        missing = length + 1 - state.ids.shape[1]
        if missing > 0:
            state.ids = np.pad(state.ids, ((0, 0), (0, missing)))
            num_slots, _, width = state.inputs.shape
            room = ops.zeros(num_slots, missing, width)
            state.inputs = ops.concat((state.inputs, room), axis=1)
        state.ids[slot, :length] = script.ids
        state.inputs[slot, :length] = self._runtime.embed_tokens(script.ids, script.neighbours)
        state.last[slot] = length - 1
        state.min_latents[slot] = limits.min_latents
        state.max_run[slot] = sys.maxsize if limits.max_run is None else limits.max_run
        for counter in (state.place, state.run, state.num_latents):
            counter[slot] = 0
        state.not_yet[slot] = 1

    def decide(self, logits: AnyArray, state: AlignedState, uniforms: AnyArray | None) -> Decision:
        """Chooses the script's next token if it is due, else a latent."""
        n = len(logits)
        place, run, num_latents = state.place[:n], state.run[:n], state.num_latents[:n]
        not_yet = state.not_yet[:n]
        not_yet *= self._probability_of_latent(logits)
        is_due, is_last = not_yet <= 0.5, place == state.last[:n]
        comes = is_due | (run >= state.max_run[:n])
        comes &= ~(is_last & (num_latents < state.min_latents[:n]))
        stays = ~comes
        ids = state.ids[np.arange(n), place]
        decision = Decision(
            kinds=stays * self._kind,
            token_ids=np.where(comes, ids, self._slot_id),
            done=comes & is_last,
            truncated=comes & ~is_due,
        )
        place += comes
        num_latents += stays
        run += 1
        run *= stays
        not_yet[comes] = 1
        return decision

    def token_inputs(self, state: AlignedState, token_ids: Integers) -> AnyArray:
        """Returns the inputs of the token before the next one, (n, d)."""
        # A row that has had no token yet has a latent now, so what it is given is ignored.
        return self._at(state.inputs, np.maximum(state.place[: len(token_ids)] - 1, 0))

    def trial_inputs(self, state: AlignedState, num_rows: int) -> AnyArray:
        """Returns the inputs of the next token, (n, d)."""
        return self._at(state.inputs, state.place[:num_rows])

    def _probability_of_latent(self, logits: AnyArray) -> NDArray[np.float64]:
        """Computes the probability of another latent instead of a token; logits (n, V) -> (n,)."""
        latent = self._runtime.ops.probability(logits, self._slot_id)
        if not self._stop_bias:
            return latent
        log_odds = np.log(np.maximum(latent, _TINY)) - np.log(np.maximum(1 - latent, _TINY))
        return 1 / (1 + np.exp(np.minimum(self._stop_bias - log_odds, _MAX_EXPONENT)))

    def _at(self, inputs: AnyArray, place: Integers) -> AnyArray:
        """Returns the entries of inputs (N, L, d) at `place` (n,) of the first n slots, (n, d)."""
        flat = np.arange(len(place)) * inputs.shape[1] + place
        return self._runtime.ops.take(inputs.reshape(-1, inputs.shape[2]), flat)
