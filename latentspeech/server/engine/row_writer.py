"""The rows of all speeches that are written in one quality: one session of the core.

Each row writes one sentence. D latent dimension.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.prefix_store import PrefixStore
from latentspeech.core.lm.sampling.session import Session
from latentspeech.server.engine.speech import ReadSentence, Speech
from latentspeech.tts.latent_writer import Sentence, session_row
from latentspeech.tts.model import SPEECH
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.synthesizer import sentence_seed

# Positions of the longest row: a prompt of half a minute with its transcript, the end of the
# sentence before, and the longest sentence of 200 characters, which may take 46 s.
CAPACITY = 2048

Floats = NDArray[np.float32]


@dataclass
class _Row:
    speech: Speech
    latents: list[Floats] = field(default_factory=list)  # (D,) so far


class WrittenElement(NamedTuple):
    """What a step has written for a speech."""

    speech: Speech
    latent: Floats | None  # (D,); None: the step wrote a token
    sentence: Floats | None  # (T, D) the whole sentence, with its last element
    truncated: bool


class RowWriter:
    """A session and the speeches of its rows."""

    def __init__(
        self, model: TTSModel, sampling: SamplingConfig, num_rows: int, prefixes: PrefixStore
    ) -> None:
        self._model, self._sampling, self._prefixes = model, sampling, prefixes
        policy = model.layout.policy(model.runtime, sampling)
        self._session = Session(model.runtime, sampling, num_rows, CAPACITY, policy)
        self._rows: dict[int, _Row] = {}

    @property
    def speeches(self) -> list[Speech]:
        """The speeches that have a row."""
        return [row.speech for row in self._rows.values()]

    def add(self, speech: Speech, read: ReadSentence, number: int) -> None:
        """Adds a row for the sentence of that number; ConfigError if it cannot be written."""
        seed = sentence_seed(speech.seed, number)
        sentence = Sentence(read.symbols.text, speech.voice, seed, speech.before)
        row = session_row(self._model, sentence, read.token_ids, self._sampling, self._prefixes)
        (row_id,) = self._session.add([row])
        self._rows[row_id] = _Row(speech)

    def drop(self, speech: Speech) -> None:
        """Frees the row of a speech, if it has one."""
        for row_id in [i for i, row in self._rows.items() if row.speech is speech]:
            self._session.drop(row_id)
            del self._rows[row_id]

    def step(self) -> list[WrittenElement]:
        """Writes the next element of every row; there must be one."""
        step = self._session.step()
        latents: dict[int, Floats] = {}
        if SPEECH in step.latents:
            places, values = step.latents[SPEECH]
            of_rows = self._model.runtime.ops.to_host(values)
            latents = dict(zip(places.tolist(), of_rows, strict=True))
        written = []
        ends = zip(step.row_ids, step.done.tolist(), step.truncated.tolist(), strict=True)
        for place, (row_id, done, truncated) in enumerate(ends):
            row, latent = self._rows[row_id], latents.get(place)
            if latent is not None:
                row.latents.append(latent)
            whole = np.stack(row.latents) if done else None
            if done:
                del self._rows[row_id]
            written.append(WrittenElement(row.speech, latent, whole, truncated))
        return written
