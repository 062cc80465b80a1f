"""The paper's rows: the softmax head writes tokens, BOD and EOD switch to latents and back (3.2).

Within a span of latents EOD competes with the modality's slot token alone. A modality whose number
of latents is fixed gets EOD after that number, whatever the logits say.

N slots, n rows, V vocabulary, K modalities.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import TOKEN, LatentSpan, MixedSequence
from latentspeech.core.lm.row_policy import Decision, GenerationLimits
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.core.lm.token_sampling import sample_tokens

_NOT_FIXED = -1


@dataclass
class SwitchState:
    """What is known of each slot."""

    modes: Tensor  # (N,) TOKEN or 1 + modality index
    num_latents: Tensor  # (N,) since BOD
    min_latents: Tensor  # (N,)
    ends: Tensor  # (N, V) True at tokens that end the row
    allowed: Tensor | None  # (N, V) True at tokens that may be drawn; None: no row is restricted


class SwitchPolicy:
    """BOD, EOD and slot tokens decide, within the limits of each row."""

    tokens_are_condition = False

    def __init__(self, model: LatentLM, sampling: SamplingConfig) -> None:
        self._model = model
        self._sampling = sampling
        modalities = model.config.modalities

        def by_mode(values: Iterable[int]) -> Tensor:
            return torch.tensor([0, *values], device=model.device)  # (1 + K,), 0 in token mode

        self._eod_ids = by_mode(modality.eod_id for modality in modalities)
        self._slot_ids = by_mode(modality.slot_id for modality in modalities)
        fixed = [modality.num_latents for modality in modalities]
        self._has_fixed = any(number is not None for number in fixed)
        self._fixed = by_mode(_NOT_FIXED if number is None else number for number in fixed)
        self._mode_after = torch.full((model.config.vocab_size,), TOKEN, device=model.device)
        for number, modality in enumerate(modalities):
            self._mode_after[modality.bod_id] = 1 + number

    def init_state(self, num_slots: int) -> SwitchState:
        """Token mode, no limits."""
        size, device = self._model.config.vocab_size, self._model.device
        numbers = torch.zeros(3, num_slots, dtype=torch.long, device=device)
        ends = torch.zeros(num_slots, size, dtype=torch.bool, device=device)
        return SwitchState(*numbers, ends, None)

    def start(
        self, state: SwitchState, slot: int, prompt: MixedSequence, limits: GenerationLimits
    ) -> SwitchState:
        """In the mode in which the prompt leaves the model."""
        last = prompt[-1]
        if isinstance(last, LatentSpan):
            state.modes[slot], state.num_latents[slot] = 1 + last.modality, len(last.latents)
        else:
            state.modes[slot], state.num_latents[slot] = self._mode_after[int(last.ids[-1])], 0
        state.min_latents[slot] = limits.min_latents
        state.ends[slot] = False
        state.ends[slot, list(limits.end_ids)] = True
        if limits.allowed_ids is None:
            if state.allowed is not None:
                state.allowed[slot] = True
            return state
        if state.allowed is None:
            state = replace(state, allowed=torch.ones_like(state.ends))
        assert state.allowed is not None
        state.allowed[slot] = False
        state.allowed[slot, list(limits.allowed_ids)] = True
        return state

    def decide(self, logits: Tensor, state: SwitchState, uniforms: Tensor | None) -> Decision:
        """Tokens where the row is in token mode, else a latent or EOD."""
        modes = state.modes
        eod_ids, slot_ids = self._eod_ids[modes], self._slot_ids[modes]  # (n,)
        of_ends = logits.gather(1, torch.stack((eod_ids, slot_ids), dim=1))  # (n, 2)
        stops = of_ends[:, 0] + self._sampling.stop_bias > of_ends[:, 1]
        stops &= state.num_latents >= state.min_latents
        if self._has_fixed:
            fixed = self._fixed[modes]
            stops = torch.where(fixed == _NOT_FIXED, stops, state.num_latents >= fixed)
        in_span = modes != TOKEN
        is_latent = in_span & ~stops
        token_ids = torch.where(in_span, eod_ids, self._draw(logits, state, uniforms))
        done = state.ends.gather(1, token_ids[:, None])[:, 0] & ~is_latent
        kinds = modes * is_latent
        state.modes.copy_(torch.where(is_latent, modes, self._mode_after[token_ids]))
        state.num_latents.add_(1).mul_(is_latent)
        token_ids = torch.where(is_latent, slot_ids, token_ids)
        return Decision(kinds, token_ids, done, torch.zeros_like(done))

    def token_inputs(self, state: SwitchState, token_ids: Tensor) -> Tensor:
        """The tokens' embeddings (n, d)."""
        return self._model.embed_tokens(token_ids, None)

    def trial_inputs(self, state: SwitchState) -> Tensor | None:
        """The next token is not known."""
        return None

    def _draw(self, logits: Tensor, state: SwitchState, uniforms: Tensor | None) -> Tensor:
        """A token for every row, (n,); slot tokens and those that a row may not hold never."""
        logits = logits.index_fill(1, self._slot_ids[1:], -torch.inf)
        if state.allowed is not None:
            logits = logits.masked_fill(~state.allowed, -torch.inf)
        sampling = self._sampling
        return sample_tokens(logits, sampling.temperature, sampling.top_p, uniforms)
