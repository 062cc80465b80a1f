"""One row while it is written: its mode, what is left of its script, and when it ends.

d model width, D_k latent size, V vocabulary.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import torch
from torch import Tensor

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import (
    NO_NEIGHBOUR,
    TOKEN,
    LatentSpan,
    MixedSequence,
    TokenSpan,
)

TINY = 1e-30  # of a probability, to take its logarithm
MAX_EXPONENT = 700.0  # what the largest float64 is a power of


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


class ScriptToken(NamedTuple):
    """A token that will come."""

    token_id: int
    neighbours: Tensor | None  # (C,)
    x: Tensor  # (d,) the input it makes


@dataclass
class WritingRow:
    """The decoding state of one row; its methods write its elements."""

    model: LatentLM
    mode: int  # TOKEN or 1 + modality index
    limits: GenerationLimits
    num_new: int = 0
    num_latents: int = 0  # since BOD
    done: bool = False
    is_scripted: bool = False
    script: deque[ScriptToken] = field(default_factory=deque)  # what is left of it
    run: int = 0  # latents since the script's last token
    staying: float = 1.0  # probability that the next one has not come by now
    on_trial: bool = False  # the next one has been fed already

    @classmethod
    def start(cls, model: LatentLM, prompt: MixedSequence, limits: GenerationLimits) -> Self:
        """In the mode in which its prompt leaves the model."""
        row = cls(model, TOKEN, limits)
        last = prompt[-1]
        if isinstance(last, LatentSpan):
            row.mode, row.num_latents = 1 + last.modality, len(last.latents)
        else:
            row._switch(int(last.ids[-1]))
        return row

    def follow(self, script: TokenSpan) -> None:
        """Has these tokens come among its latents; they are embedded all at once."""
        given, model = script.neighbours, self.model
        if given is None:
            given = torch.full((len(script.ids), model.config.num_neighbours), NO_NEIGHBOUR)
        x = model.embed_tokens(script.ids.to(model.device), given.to(model.device))  # (n, d)
        beside = [None] * len(script.ids) if script.neighbours is None else script.neighbours
        self.script.extend(map(ScriptToken, script.ids.tolist(), beside, x))
        self.is_scripted = True

    def stops(self, logits: Tensor, stop_bias: float) -> bool:
        """Whether EOD beats another latent. logits (V,)."""
        config = self.model.config.modalities[self.mode - 1]
        if not config.predict_end or self.num_latents < self.limits.min_latents:
            return False
        return bool(logits[config.eod_id] + stop_bias > logits[config.slot_id])

    def token_comes(self, logits: Tensor, stop_bias: float) -> bool:
        """Whether the script's next token is due, by logits (V,)."""
        self.staying *= self._probability_of_latent(logits, stop_bias)
        if len(self.script) == 1 and self.num_latents < self.limits.min_latents:
            return False  # it would end the row
        longest = self.limits.max_run
        return self.staying <= 0.5 or (longest is not None and self.run >= longest)

    def write_scripted(self) -> GeneratedElement:
        """The script's next token."""
        at_limit = self.staying > 0.5
        self.num_new += 1
        self.run, self.staying = 0, 1.0
        token_id, neighbours, _ = self.script.popleft()
        self.done = not self.script or self.num_new >= self.limits.max_elements
        truncated = at_limit or bool(self.script and self.done)
        return GeneratedElement(TOKEN, token_id, neighbours, None, self.done, truncated)

    def write_token(self, token_id: int) -> GeneratedElement:
        """A token that the model chose; BOD and EOD switch the mode."""
        self.num_new += 1
        ended = token_id in self.limits.end_ids
        self.done = ended or self.num_new >= self.limits.max_elements
        self._switch(token_id)
        return GeneratedElement(TOKEN, token_id, None, None, self.done, self.done and not ended)

    def write_latent(self, latent: Tensor) -> GeneratedElement:
        """A raw latent (D_k,)."""
        self.num_new += 1
        self.num_latents += 1
        self.run += 1
        self.done = self.num_new >= self.limits.max_elements
        slot = self.model.config.modalities[self.mode - 1].slot_id
        return GeneratedElement(self.mode, slot, None, latent, self.done, self.done)

    def _switch(self, token_id: int) -> None:
        """To the mode that follows a token."""
        self.mode = TOKEN
        for modality, config in enumerate(self.model.config.modalities):
            if token_id == config.bod_id:
                self.mode, self.num_latents = 1 + modality, 0

    def _probability_of_latent(self, logits: Tensor, stop_bias: float) -> float:
        """How likely another latent is, and no token, by logits (V,)."""
        slot = self.model.config.modalities[self.mode - 1].slot_id
        latent = float(logits.double().softmax(0)[slot])
        if not stop_bias:
            return latent
        odds = math.log(max(latent, TINY)) - math.log(max(1 - latent, TINY)) - stop_bias
        return 1 / (1 + math.exp(min(-odds, MAX_EXPONENT)))
