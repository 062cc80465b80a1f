"""What decides how a row goes on: with a latent, with a token, or not at all.

A policy reads the softmax head's logits of all rows at once. It takes from the device, in one
transfer, the few numbers that decide, and decides for all rows by arrays on the host, where what
follows from the decision is needed. `core/lm/switch_policy.py` is the paper's; a layout that puts
tokens among its latents brings its own.

N slots, n rows in use (the first n slots), V vocabulary, d model width.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentspeech.core.lm.mixed_sequence import MixedSequence

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class GenerationLimits:
    """When a row ends, and which tokens it may hold. A policy may ask for a subclass of its own."""

    max_elements: int  # new elements, tokens and latents together; the row is truncated there
    min_latents: int = 1  # EOD does not come before this many latents of a span
    end_ids: frozenset[int] = frozenset()  # tokens that end the row
    allowed_ids: frozenset[int] | None = None  # tokens that may be drawn; None: all but slot tokens


class Decision(NamedTuple):
    """The next element of each of n rows."""

    kinds: Integers  # (n,) TOKEN or 1 + modality index
    token_ids: Integers  # (n,) at latents, the modality's slot token
    done: Flags  # (n,) the row ends with this element
    truncated: Flags  # (n,) a limit decided and not the model


class RowPolicy(Protocol):
    """Decides for all rows of a session.

    A state is a dataclass whose fields are arrays or tensors with one entry a slot, or None. The
    methods write to it in place.
    """

    @property
    def tokens_are_condition(self) -> bool:
        """Whether its tokens belong to the condition, so that the row without it gets none."""

    def init_state(self, num_slots: int) -> Any:
        """The state of empty slots."""

    def start(self, state: Any, slot: int, prompt: MixedSequence, limits: GenerationLimits) -> None:
        """Sets up one slot for a row that goes on from `prompt`."""

    def decide(self, logits: Tensor, state: Any, uniforms: Tensor | None) -> Decision:
        """The next element of every row; the state is then that after the element.

        Args:
            logits: (n, V) float32 of the softmax head.
            state: of all slots.
            uniforms: (n,) in [0, 1) to draw tokens by; None when tokens are greedy.
        """

    def token_inputs(self, state: Any, token_ids: Integers) -> Tensor:
        """The backbone's inputs (n, d) for the tokens (n,) just decided; anything at latents."""

    def trial_inputs(self, state: Any, num_rows: int) -> Tensor | None:
        """Inputs (n, d) of the token that each row gets next, if it gets a token next.

        They are fed on trial behind the element just decided, so that such a token costs no pass of
        its own. None: nothing is known of the next token.
        """
