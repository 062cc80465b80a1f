"""The protocol of policies, which decide whether a row continues with a latent, a token or not.

A policy reads the softmax head's logits of all rows at once. It copies the few numbers that it
needs from the device in one transfer and decides for all rows with arrays on the host, where the
decision is used. The paper's policy is in `switch_policy.py`; a layout with tokens among its
latents has its own policy.

N slots, n rows in use (the first n slots), V vocabulary, d model width.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.lm.sampling.array_ops import AnyArray, Flags, Integers


@dataclass(frozen=True)
class GenerationLimits:
    """When a row ends, and which tokens it may hold. A policy may need a subclass of its own."""

    max_elements: int  # new elements, tokens and latents together; the row is truncated there
    min_latents: int = 1  # a span has at least this many latents before EOD
    end_ids: frozenset[int] = frozenset()  # tokens that end the row
    allowed_ids: frozenset[int] | None = None  # tokens that may be drawn; None: all but slot tokens


class Decision(NamedTuple):
    """The next element of each of n rows."""

    kinds: Integers  # (n,) TOKEN or 1 + modality index
    token_ids: Integers  # (n,) at latents, the modality's slot token
    done: Flags  # (n,) whether the row ends with this element
    truncated: Flags  # (n,) whether a limit ended the row, and not the model


class RowPolicy(Protocol):
    """Decides for all rows of a session.

    A state is a dataclass whose fields are arrays with one entry a slot, or None. The
    methods write to it in place.
    """

    @property
    def tokens_are_condition(self) -> bool:
        """Whether tokens are part of the condition, so that unconditional rows get none."""

    def init_state(self, num_slots: int) -> Any:
        """The state of empty slots."""

    def start(self, state: Any, slot: int, prompt: MixedSequence, limits: GenerationLimits) -> None:
        """Sets up one slot for a row that continues `prompt`."""

    def decide(self, logits: AnyArray, state: Any, uniforms: AnyArray | None) -> Decision:
        """Decides the next element of every row and updates the state for it.

        Args:
            logits: (n, V) float32, from the softmax head.
            state: the state of all slots.
            uniforms: (n,) in [0, 1), to draw tokens with; None if tokens are greedy.
        """

    def token_inputs(self, state: Any, token_ids: Integers) -> AnyArray:
        """The backbone's inputs (n, d) for the tokens (n,) just decided; ignored at latents."""

    def trial_inputs(self, state: Any, num_rows: int) -> AnyArray | None:
        """Inputs (n, d) of the token that each row gets next, if it gets a token next.

        They are fed on trial after the element just decided, so that such a token needs no pass of
        its own. None: the next token is not known.
        """
