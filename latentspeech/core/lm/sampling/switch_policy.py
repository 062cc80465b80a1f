"""The paper's policy: the softmax head picks tokens, BOD and EOD switch to latents and back (3.2).

Within a span of latents, EOD competes only with the modality's slot token. If the number of a
modality's latents is fixed, EOD follows after that number, whatever the logits are.

N slots, n rows, V vocabulary, K modalities.
"""

from dataclasses import dataclass

import numpy as np

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.mixed_sequence import TOKEN, LatentSpan, MixedSequence, num_elements
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.array_ops import AnyArray, Flags, Integers, TokenChoice
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.row_policy import Decision, GenerationLimits

_NOT_FIXED = -1


@dataclass
class SwitchState:
    """The state of each slot."""

    modes: Integers  # (N,) TOKEN or 1 + modality index
    num_latents: Integers  # (N,) since BOD
    min_latents: Integers  # (N,)
    ends: Flags  # (N, V) True at tokens that end the row
    allowed: AnyArray | None = None  # (N, V) True at tokens that may be drawn; None: no restriction


class SwitchPolicy:
    """Decides by BOD, EOD and slot tokens, within the limits of each row."""

    tokens_are_condition = False

    def __init__(self, runtime: Runtime, sampling: SamplingConfig) -> None:
        self._runtime = runtime
        self._sampling = sampling
        modalities = runtime.config.modalities
        self._eod_ids = np.array([0, *(modality.eod_id for modality in modalities)])  # by mode
        self._slot_ids = np.array([0, *(modality.slot_id for modality in modalities)])
        fixed = [modality.num_latents or _NOT_FIXED for modality in modalities]
        self._fixed = np.array([_NOT_FIXED, *fixed])
        self._mode_after = np.full(runtime.config.vocab_size, TOKEN)  # by token
        for number, modality in enumerate(modalities):
            self._mode_after[modality.bod_id] = 1 + number
        switches = np.concatenate((self._eod_ids[1:], self._slot_ids[1:]))
        self._switch_ids = runtime.ops.from_host(switches)  # (2 K,)

    def init_state(self, num_slots: int) -> SwitchState:
        """All slots are in token mode and have no limits."""
        modes, num_latents, min_latents = np.zeros((3, num_slots), dtype=np.int64)
        ends = np.zeros((num_slots, self._runtime.config.vocab_size), dtype=bool)
        return SwitchState(modes, num_latents, min_latents, ends)

    def start(
        self, state: SwitchState, slot: int, prompt: MixedSequence, limits: GenerationLimits
    ) -> None:
        """Starts a row in the mode that the prompt ends in."""
        last = next(span for span in reversed(prompt) if num_elements([span]))
        if isinstance(last, LatentSpan):
            fixed = self._fixed[1 + last.modality]
            if fixed != _NOT_FIXED and len(last.latents) > fixed:
                raise ConfigError(
                    f"a prompt ends with {len(last.latents)} latents of a modality that has "
                    f"{fixed} between BOD and EOD; give fewer, or end the prompt with EOD"
                )
            state.modes[slot], state.num_latents[slot] = 1 + last.modality, len(last.latents)
        else:
            state.modes[slot], state.num_latents[slot] = self._mode_after[int(last.ids[-1])], 0
        self._check_ids(limits.end_ids | (limits.allowed_ids or frozenset()))
        state.min_latents[slot] = limits.min_latents
        state.ends[slot] = False
        state.ends[slot, list(limits.end_ids)] = True
        if limits.allowed_ids is not None and state.allowed is None:
            everything = np.ones(state.ends.shape, dtype=bool)
            state.allowed = self._runtime.ops.from_host(everything)
        if state.allowed is not None:
            state.allowed[slot] = limits.allowed_ids is None
            state.allowed[slot, list(limits.allowed_ids or ())] = True

    def _check_ids(self, ids: frozenset[int]) -> None:
        vocab_size = self._runtime.config.vocab_size
        if outside := sorted(number for number in ids if not 0 <= number < vocab_size):
            raise ConfigError(
                f"limits with the token ids {outside}; expected 0 to {vocab_size - 1}, the model's "
                "vocabulary: correct end_ids or allowed_ids"
            )

    def decide(self, logits: AnyArray, state: SwitchState, uniforms: AnyArray | None) -> Decision:
        """Decides a token for each row in token mode, and a latent or EOD for the others."""
        n = len(logits)
        modes = state.modes[:n]
        of_switches, drawn = self._to_host(logits, state, uniforms)
        in_span = modes != TOKEN
        is_latent = in_span & ~self._stops(of_switches, state, modes)
        token_ids = np.where(in_span, self._eod_ids[modes], drawn)
        done = ~is_latent & state.ends[np.arange(n), token_ids]
        kinds = modes * is_latent
        state.modes[:n] = np.where(is_latent, modes, self._mode_after[token_ids])
        state.num_latents[:n] = (state.num_latents[:n] + 1) * is_latent
        token_ids = np.where(is_latent, self._slot_ids[kinds], token_ids)
        return Decision(kinds, token_ids, done, np.zeros_like(done))

    def token_inputs(self, state: SwitchState, token_ids: Integers) -> AnyArray:
        """The tokens' embeddings (n, d)."""
        return self._runtime.embed_tokens(token_ids, None)

    def trial_inputs(self, state: SwitchState, num_rows: int) -> AnyArray | None:
        """None, because the next token is not known."""
        return None

    def _to_host(
        self, logits: AnyArray, state: SwitchState, uniforms: AnyArray | None
    ) -> tuple[np.ndarray, Integers]:
        """The logits of EOD and slot tokens (n, 2 K), and tokens drawn for all rows (n,)."""
        sampling = self._sampling
        # A slot token means that a latent follows, so it must not be drawn as a token.
        slots = self._switch_ids[len(self._switch_ids) // 2 :]
        choice = TokenChoice(
            self._switch_ids, slots, state.allowed, sampling.temperature, sampling.top_p
        )
        return self._runtime.ops.choose(logits, choice, uniforms)

    def _stops(self, of_switches: np.ndarray, state: SwitchState, modes: Integers) -> Flags:
        """Whether EOD comes next, (n,); meaningless for rows in token mode."""
        num_modalities = len(self._eod_ids) - 1
        if not num_modalities:
            return np.ones(len(modes), dtype=bool)
        rows, column = np.arange(len(modes)), modes - 1
        of_eod, of_slot = of_switches[rows, column], of_switches[rows, column - num_modalities]
        num_latents = state.num_latents[: len(modes)]
        stops = of_eod + self._sampling.stop_bias > of_slot
        stops &= num_latents >= state.min_latents[: len(modes)]
        fixed = self._fixed[modes]
        return np.where(fixed == _NOT_FIXED, stops, num_latents >= fixed)
