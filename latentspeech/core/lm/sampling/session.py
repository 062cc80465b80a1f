"""Generates many rows together, each of which starts and ends independently (paper 3.2, Inference).

    session = Session(runtime, sampling, num_slots=64, capacity=600)
    (row_id,) = session.add([SessionRow(prompt, limits, generator)])
    while session.num_rows:
        step = session.step()      # the next element of every row, or of those that are ready

The prompt of a row is read when the row is added. A step then runs all rows, or first, without the
backbone, only those that are ready: new rows and rows whose token on trial has come. So rows stay
in phase, and the backbone never runs for a row that does not need it. A row leaves when
it ends or is dropped, which frees its slot for another. The rows in use are always the first slots,
so the cost of a step depends only on their number. Each row has its own random numbers and never
sees another: its result equals that of a session with only this row, bit for bit if the matrix
products have the same shapes, else up to rounding.

For classifier-free guidance each slot has two rows of the cache, one that reads the prompt and one
that reads a prompt without the condition. Both are fed the same new elements.

N slots, n rows in use, P cache rows a slot (1, or 2 with guidance), T positions, d model width,
D_k latent size, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.mixed_sequence import TOKEN, MixedSequence, TokenSpan, num_elements
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.array_ops import AnyArray, Flags, Integers
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.prefix_store import Prefix
from latentspeech.core.lm.sampling.row_draws import RowDraws
from latentspeech.core.lm.sampling.row_policy import Decision, GenerationLimits, RowPolicy
from latentspeech.core.lm.sampling.switch_policy import SwitchPolicy

_NOTHING = -1  # the kind of element of a row that a step leaves as it is


@dataclass(frozen=True)
class SessionRow:
    """The inputs of a row: what it continues, its limits and its randomness."""

    prompt: MixedSequence  # not empty; after BOD or a latent, latents of that modality follow
    limits: GenerationLimits
    generator: Any  # of the runtime's `ops`; the only source of the row's random numbers
    unconditional: MixedSequence | None = None  # the prompt without the condition, for guidance
    prefix: Prefix | None = None  # a sequence before the prompt that is already read
    unconditional_prefix: Prefix | None = None  # likewise; its prompt may then be empty


class StepLatents(NamedTuple):
    """The latents of one modality that a step has generated."""

    places: Integers  # (m,) indices among the step's rows
    values: AnyArray  # (m, D_k) raw


class SessionStep(NamedTuple):
    """The next element of each of n rows: of all that were in use, or of those that were ready."""

    row_ids: list[int]  # n
    kinds: Integers  # (n,) TOKEN or 1 + modality index
    token_ids: Integers  # (n,) at latents, the modality's slot token
    done: Flags  # (n,) whether the row ended with this element and left the session
    truncated: Flags  # (n,) whether a limit ended the row, and not the model
    latents: dict[int, StepLatents]  # by modality index


class Session:
    """Rows of one model, one policy and one sampling configuration."""

    def __init__(
        self,
        runtime: Runtime,
        sampling: SamplingConfig,
        num_slots: int,
        capacity: int,
        policy: RowPolicy | None = None,
    ) -> None:
        """Makes an empty session.

        Args:
            runtime: the runtime of a model in evaluation mode.
            sampling: the configuration of all rows.
            num_slots: the largest number of rows at a time.
            capacity: the largest number of positions of a row: its prefix, prompt and new elements,
                and one that is fed on trial. The torch runtime allocates all of them at once.
            policy: decides how rows continue; None: by BOD, EOD and slot tokens.
        """
        config = runtime.config
        self._runtime, self._ops = runtime, runtime.ops
        self._sampling = sampling
        self._of_latents = sampling.of_modalities([m.name for m in config.modalities])
        self._policy = SwitchPolicy(runtime, sampling) if policy is None else policy
        self._num_slots, self._capacity = num_slots, capacity
        self._parts = 2 if sampling.guided else 1
        self._cache = runtime.open(num_slots * self._parts, capacity)
        self._policy_state = self._policy.init_state(num_slots)
        self._noise = [RowDraws(self._ops.normal, num_slots, size) for size in config.latent_dims]
        self._uniforms = RowDraws(self._ops.uniform, num_slots, 1)
        self._num_new = np.zeros(num_slots, dtype=np.int64)
        self._max_new = np.zeros(num_slots, dtype=np.int64)
        self._generators: list[Any] = []
        self._row_ids: list[int] = []  # the ids of the rows in use, by slot
        self._next_id = 0
        self._hidden = self._ops.zeros(0, self._parts, config.backbone.model_dim)
        self._inputs: AnyArray | None = None  # (n, T, d) the inputs of the next step
        self._fed = np.zeros((0, self._parts), dtype=bool)  # which cache rows get them

    @property
    def num_rows(self) -> int:
        """The number of rows in use."""
        return len(self._row_ids)

    @property
    def row_ids(self) -> list[int]:
        """The ids of the rows in use, in the order of the next step."""
        return self._row_ids.copy()

    @property
    def num_free(self) -> int:
        """The number of rows that can be added now."""
        return self._num_slots - self.num_rows

    def add(self, rows: Sequence[SessionRow]) -> list[int]:
        """Reads the prompts of new rows, in one pass if they fit; returns the rows' ids.

        Raises:
            ConfigError: no slot is free, a row could exceed the capacity or may get no elements, a
                prompt is empty or has tokens outside the vocabulary, or prompts without the
                condition are missing or not needed.
            ValueError: the latents of a prompt do not fit the model.
        """
        self._check(rows)
        if not rows:
            return []
        with self._ops.inference():
            return self._add(rows)

    def drop(self, row_id: int) -> None:
        """Removes a row that has not ended, without any effect on the other rows.

        Raises:
            ConfigError: no row in use has this id.
        """
        if row_id not in self._row_ids:
            raise ConfigError(
                f"row {row_id} is not in the session, which holds {self._row_ids}; rows leave when "
                "they end, drop only those that have not"
            )
        with self._ops.inference():
            self._release(self._row_ids.index(row_id))

    def step(self) -> SessionStep:
        """Generates the next element of every row, or of those that need no pass of the backbone.

        Rows that end with it leave the session.

        Raises:
            ConfigError: the session is empty.
        """
        if not self._row_ids:
            raise ConfigError("the session has no rows; add one before a step")
        with self._ops.inference():
            return self._step()

    def _add(self, rows: Sequence[SessionRow]) -> list[int]:
        first = self.num_rows
        for slot, row in enumerate(rows, start=first):
            self._policy.start(self._policy_state, slot, row.prompt, row.limits)
            for draws in (*self._noise, self._uniforms):
                draws.restart(slot)
            self._num_new[slot], self._max_new[slot] = 0, row.limits.max_elements
        hidden = self._read(rows, first)
        # From here on nothing can fail: rows are all added or, if they cannot be read, none is.
        new_ids = list(range(self._next_id, self._next_id + len(rows)))
        self._row_ids += new_ids
        self._next_id += len(rows)
        self._generators += [row.generator for row in rows]
        self._hidden = self._ops.concat((self._hidden, hidden))
        self._fed = np.concatenate((self._fed, np.zeros((len(rows), self._parts), dtype=bool)))
        if self._inputs is not None:
            nothing = self._ops.zeros(len(rows), *self._inputs.shape[1:])
            self._inputs = self._ops.concat((self._inputs, nothing))
        return new_ids

    def _step(self) -> SessionStep:
        n = self.num_rows
        is_ready: Flags = np.logical_not(self._fed.any(axis=1))  # (n,) without the backbone
        is_full = not is_ready.any()
        active = np.ones(n, dtype=bool) if is_full else is_ready
        num_fed, ahead = self._feed() if is_full else (np.zeros_like(self._fed, np.int64), None)
        kinds, token_ids, done, truncated = self._decide(active)
        self._num_new[:n] += active
        at_limit = (self._num_new[:n] >= self._max_new[:n]) & active
        done, truncated = done | at_limit, truncated | (at_limit & ~done)
        latents: dict[int, StepLatents] = {}
        for modality in range(len(self._noise)):
            (places,) = (kinds == 1 + modality).nonzero()
            if len(places):
                latents[modality] = self._write_latents(modality, places)
        step = SessionStep(self._row_ids.copy(), kinds, token_ids, done, truncated, latents)
        self._settle(step, num_fed, ahead, active)
        for slot in done.nonzero()[0][::-1].tolist():
            self._release(slot)
        return step if active.all() else _of_rows(step, active)

    def _decide(self, active: Flags) -> Decision:
        """Decides the next element of the active rows (n,); the others are as if not asked."""
        logits, uniforms = self._logits(), self._take_uniforms(active)
        if active.all():
            return self._policy.decide(logits, self._policy_state, uniforms)
        (idle,) = (~active).nonzero()
        fields = {
            name: field for name, field in vars(self._policy_state).items() if field is not None
        }
        held = {name: field[idle] for name, field in fields.items()}  # copies
        kinds, token_ids, done, truncated = self._policy.decide(
            logits, self._policy_state, uniforms
        )
        for name, values in held.items():
            fields[name][idle] = values
        return Decision(
            np.where(active, kinds, _NOTHING), token_ids, done & active, truncated & active
        )

    def _check(self, rows: Sequence[SessionRow]) -> None:
        if len(rows) > self.num_free:
            raise ConfigError(
                f"{len(rows)} rows do not fit: {self.num_free} of {self._num_slots} slots are "
                "free; wait until rows end, drop some, or open a session with more slots"
            )
        for row in rows:
            if (row.unconditional is not None) != self._sampling.guided:
                found = "without" if row.unconditional is None else "with"
                raise ConfigError(
                    f"a row {found} a prompt for guidance, and sampling.guided is "
                    f"{self._sampling.guided}; unconditional prompts are needed exactly when a "
                    "cfg_scale is not 1"
                )
            _check_row(row, self._runtime.config.vocab_size)
            needed, most = num_positions(row), row.limits.max_elements
            if needed > self._capacity:
                raise ConfigError(
                    f"a row of {needed - most - 1} elements that may get {most} more "
                    f"needs {needed} positions and the session holds {self._capacity} a row; give "
                    "it a shorter prompt or limit, or open a session of larger capacity"
                )

    def _read(self, rows: Sequence[SessionRow], first: int) -> AnyArray:
        """Prefills the cache with m new rows; returns hidden states (m, P, d) at their ends."""
        sequences = [sequence for row in rows for sequence in _sequences(row)]
        first_row = first * self._parts
        for number, (_, prefix) in enumerate(sequences, start=first_row):
            if prefix is not None:
                self._cache.load(number, prefix.saved)
        prompts = [prompt for prompt, _ in sequences]
        lengths = [num_elements(prompt) for prompt in prompts]
        hidden = self._cache.prefill(self._runtime.embed(prompts), lengths, first_row)
        for number, (prompt, prefix) in enumerate(sequences):
            if prefix is not None and not prompt:
                hidden[number] = prefix.hidden
        return hidden.reshape(len(rows), self._parts, -1)

    def _feed(self) -> tuple[Integers, AnyArray | None]:
        """Feeds the model the elements of the previous step.

        Returns:
            num_fed (n, P): the number of positions that each row of the cache keeps in any case.
            ahead (n, d): hidden states at the tokens on trial; None if there are none.
        """
        num_fed = self._fed.astype(np.int64)
        if not np.count_nonzero(self._fed):
            return num_fed, None
        assert self._inputs is not None
        x = self._inputs
        n, length, width = x.shape
        if self._parts > 1:
            x = self._ops.repeat(x, self._parts)
        needed = num_fed.copy()
        needed[:, 0] *= length  # elements on trial are for the sequence with the condition
        new = self._cache.feed(x, needed.ravel().tolist())
        new = new.reshape(n, self._parts, length, width)
        self._hidden = self._where(self._fed, new[:, :, 0], self._hidden)
        return num_fed, new[:, 0, 1] if length > 1 else None

    def _logits(self) -> AnyArray:
        """The softmax head's logits (n, V), with guidance if `sampling` has it."""
        scale, runtime = self._sampling.token_cfg_scale, self._runtime
        logits = runtime.token_logits(self._hidden[:, 0])
        if scale == 1:
            return logits
        return self._ops.guide(logits, runtime.token_logits(self._hidden[:, 1]), scale)

    def _take_uniforms(self, active: Flags) -> AnyArray | None:
        if self._sampling.temperature == 0:
            return None
        drawn = np.zeros((len(active), 1), dtype=np.float32)
        drawn[active] = self._uniforms.take(active.nonzero()[0], self._generators)
        return self._ops.from_host(drawn[:, 0])

    def _write_latents(self, modality: int, places: Integers) -> StepLatents:
        """Draws one latent for each of the rows at `places`."""
        runtime = self._runtime
        sampling = self._of_latents[runtime.config.modalities[modality].name]
        noise = self._ops.from_host(self._noise[modality].take(places, self._generators))
        hidden = self._hidden
        if len(places) < len(hidden):
            hidden = self._ops.take(hidden, places)
        normalized = runtime.sampler(modality).sample(
            cond=hidden[:, 0],
            noise=noise,
            uncond=hidden[:, 1] if self._parts > 1 else None,
            sampling=sampling,
        )
        return StepLatents(places, runtime.denormalize(modality, normalized))

    def _settle(
        self, step: SessionStep, num_fed: Integers, ahead: AnyArray | None, active: Flags
    ) -> None:
        """Keeps the accepted ones of the positions just fed, and prepares the next inputs."""
        is_token = step.kinds == TOKEN
        came = np.zeros_like(self._fed)  # (n, P) True if the token was already fed on trial
        if ahead is not None:
            came[:, 0] = is_token & self._fed[:, 0]
        if np.count_nonzero(came):
            assert ahead is not None
            self._hidden[:, 0] = self._where(came[:, :1], ahead[:, None], self._hidden[:, :1])[:, 0]
        if np.count_nonzero(num_fed):
            self._cache.keep((num_fed + came).ravel())
        goes_on = active & ~(step.done | came[:, 0])
        self._fed[active] = goes_on[active, None]
        if self._policy.tokens_are_condition:
            self._fed[:, 1:] &= ~(is_token & active)[:, None]
        if not np.count_nonzero(goes_on):
            return
        has_tokens = bool(np.count_nonzero(is_token & goes_on))
        x = self._element_inputs(step, has_tokens)[:, None]  # (n, 1, d)
        trial = self._policy.trial_inputs(self._policy_state, len(x))
        x = x if trial is None else self._ops.concat((x, trial[:, None]), axis=1)
        if self._inputs is None or active.all():
            self._inputs = x
        else:
            (places,) = active.nonzero()
            self._inputs[places] = x[places]

    def _element_inputs(self, step: SessionStep, has_tokens: bool) -> AnyArray:
        """The backbone's inputs for the elements just generated, (n, d)."""
        inputs = [
            (latents.places, self._runtime.embed_latents(modality, latents.values))
            for modality, latents in step.latents.items()
        ]
        if inputs and len(inputs[0][0]) == len(step.kinds):
            return inputs[0][1]
        if has_tokens:
            x = self._policy.token_inputs(self._policy_state, step.token_ids)
        else:
            x = self._ops.zeros(*self._hidden[:, 0].shape)
        for places, of_latents in inputs:
            self._ops.put(x, places, of_latents)
        return x

    def _where(self, rows: Flags, one: AnyArray, other: AnyArray) -> AnyArray:
        """`one` (n, P, d) where `rows` (n, P) is True, `other` elsewhere."""
        count = np.count_nonzero(rows)
        if count == rows.size:
            return one
        return self._ops.where(rows[..., None], one, other) if count else other

    def _release(self, slot: int) -> None:
        """Frees a slot and moves the last row there, so that rows in use stay the first slots."""
        last, parts = self.num_rows - 1, self._parts
        if slot != last:
            for part in range(parts):
                self._cache.move(parts * last + part, parts * slot + part)
            for draws in (*self._noise, self._uniforms):
                draws.move(last, slot)
            of_policy = vars(self._policy_state).values()
            own = (self._hidden, self._inputs, self._fed, self._num_new, self._max_new)
            for by_slot in (*of_policy, *own, self._row_ids, self._generators):
                if by_slot is not None:
                    by_slot[slot] = by_slot[last]
        for part in range(parts):
            self._cache.clear(parts * last + part)
        self._row_ids.pop()
        self._generators.pop()
        self._hidden, self._fed = self._hidden[:last], self._fed[:last]
        self._inputs = None if self._inputs is None or not last else self._inputs[:last]


def _of_rows(step: SessionStep, rows: Flags) -> SessionStep:
    """The part of a step that some of its rows (n,) have; no other row has a latent in it."""
    index = np.cumsum(rows) - 1
    latents = {
        modality: StepLatents(index[places], values)
        for modality, (places, values) in step.latents.items()
    }
    row_ids = [row_id for row_id, is_in in zip(step.row_ids, rows.tolist(), strict=True) if is_in]
    kinds, token_ids = step.kinds[rows], step.token_ids[rows]
    return SessionStep(row_ids, kinds, token_ids, step.done[rows], step.truncated[rows], latents)


def num_positions(row: SessionRow) -> int:
    """The positions that a row may need: its prefix, prompt, new elements and one on trial."""
    longest = max(
        num_elements(prompt) + (prefix.saved.end if prefix else 0)
        for prompt, prefix in _sequences(row)
    )
    return longest + row.limits.max_elements + 1


def _check_row(row: SessionRow, vocab_size: int) -> None:
    if row.limits.max_elements < 1:
        raise ConfigError(
            f"max_elements = {row.limits.max_elements} for a row; expected 1 or more new elements: "
            "leave the row out or raise its limit"
        )
    if not num_elements(row.prompt):
        raise ConfigError(
            "the prompt of a row is empty; expected an element, which the row continues: give it "
            "a token, for instance BOD"
        )
    for prompt, prefix in _sequences(row):
        if not num_elements(prompt) and prefix is None:
            raise ConfigError(
                "the prompt without the condition is empty; expected an element unless it has a "
                "prefix: give it a token, for instance BOD"
            )
        for span in prompt:
            if isinstance(span, TokenSpan) and not _are_in(span.ids, vocab_size):
                raise ConfigError(
                    f"a prompt has the token ids {span.ids.tolist()}; expected 0 to "
                    f"{vocab_size - 1}, the model's vocabulary: use the model's own tokenizer"
                )


def _are_in(ids: AnyArray, vocab_size: int) -> bool:
    return bool(((ids >= 0) & (ids < vocab_size)).all())


def _sequences(row: SessionRow) -> list[tuple[MixedSequence, Prefix | None]]:
    """The sequences of a row: its prompt, and with guidance the one without the condition."""
    with_condition = (row.prompt, row.prefix)
    if row.unconditional is None:
        return [with_condition]
    return [with_condition, (row.unconditional, row.unconditional_prefix)]
