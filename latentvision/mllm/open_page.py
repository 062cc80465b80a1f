"""A page that a user and the model write in turns: text and pictures in, text and pictures out.

    page = OpenPage(writer, seed=1)
    page.add_picture("cat.png")
    page.ask("What is it?")
    for piece in page.go_on():      # str, as tokens come, or Pictures
        ...

A model that learned speech speaks too, if `speech` asks for it: a piece is then SpokenLatents,
which the codec turns into samples. `add_speech` takes the codec's latents of a recording.

What was read or written stays in the cache: a picture is encoded and read once, however many
questions follow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.lm.mixed_sequence import LatentSpan, TokenSpan, num_elements
from latentspeech.core.lm.sampling.generate import token_span
from latentspeech.core.tensors import make_generator
from latentvision.generation.painter import Pictures
from latentvision.mllm.models.latent_lm import MultimodalLM
from latentvision.mllm.models.page_model import ReadPage
from latentvision.mllm.page_writer import PageWriter, Spans
from latentvision.mllm.sequence import IMAGE, speech_spans
from latentvision.mllm.tokens.vocabulary import SpeechMarks

_UNFINISHED = "\ufffd"  # what the first bytes of a character decode to
MAX_LATENTS = 150  # of speech that the model writes, by default


@dataclass(frozen=True)
class SpokenLatents:
    """Speech that the model wrote: latents (T, D) of the codec with this hash."""

    latents: Tensor
    codec_hash: str


class OpenPage:
    """A page, from its beginning on."""

    def __init__(
        self, writer: PageWriter, seed: int = 0, speech: bool = False, **changes: Any
    ) -> None:
        """Begins a page.

        Args:
            writer: the model.
            seed: the same seed gives the same page.
            speech: whether `go_on` may speak; a caller without a codec could not hear it.
            changes: settings of `PageSampling` that differ from the model's.

        Raises:
            ConfigError: speech is asked of a model that has none, or a setting is out of range.
        """
        self._speech_begin: int | None = None
        if speech:
            self._speech_begin = _marks_of_speech(writer).begin
        self._writer, self._seed = writer, seed
        self._sampling, self._changes = writer.sampling(**changes), changes
        self._read: ReadPage | None = None
        self._pending: Spans = writer.begin()
        self._answers = False  # whether an answer comes next
        self._num_events = 0

    @property
    def length(self) -> int:
        """The number of elements."""
        read = 0 if self._read is None else self._read.length
        return read + sum(num_elements([span]) for span in self._pending)

    def add_text(self, text: str) -> None:
        """Puts a text at the end; InputError if it is empty, or the page has no room for it."""
        self._add(self._writer.text_spans(text))

    def add_picture(self, picture: Image.Image | str | Path) -> None:
        """Puts a picture at the end; InputError if it cannot be read, or there is no room."""
        self._add(self._writer.picture_spans(picture))

    def add_speech(self, latents: Tensor) -> None:
        """Puts speech at the end, latents (T, D) of the model's codec.

        Raises:
            ConfigError: the model has no speech.
            InputError: there is no room for it.
        """
        _marks_of_speech(self._writer)
        self._add(speech_spans(self._writer.vocabulary, latents))

    def ask(self, question: str) -> None:
        """Puts a question at the end, whose answer the model writes next."""
        self._add(self._writer.question_spans(question))
        self._answers = True

    def go_on(self, max_tokens: int = 256) -> Iterator[str | Pictures | SpokenLatents]:
        """Lets the model write until it ends the page or the answer, or for `max_tokens` of text.

        Raises:
            InputError: the row of the model is full.
        """
        writer, vocabulary = self._writer, self._writer.vocabulary
        ends = {vocabulary.page_end, vocabulary.question}
        if not self._answers:
            ends.add(vocabulary.boi)
            if self._speech_begin is not None:
                ends.add(self._speech_begin)
        self._answers = False
        while max_tokens > 0:
            page = self._up_to_date()
            room = min(max_tokens, writer.room(page))
            ids: list[int] = []
            yield from self._text(page, frozenset(ends), room, ids)
            max_tokens -= len(ids)
            last = ids[-1]
            self._pending.append(token_span(ids[:-1] if last in ends else ids))
            if last not in (vocabulary.boi, self._speech_begin):
                return
            yield self.draw() if last == vocabulary.boi else self.speak()

    def speak(self, max_latents: int = MAX_LATENTS) -> SpokenLatents:
        """Lets the model speak at the end, until it ends the speech or for `max_latents`.

        Raises:
            ConfigError: the model has no speech.
            InputError: the row of the model is full.
        """
        writer, marks = self._writer, _marks_of_speech(self._writer)
        self._check([*self._pending], 3)  # BOD, a latent and EOD
        self._pending.append(token_span([marks.begin]))
        page = self._up_to_date()
        most = min(max_latents, writer.room(page) - 1)
        assert isinstance(writer.model, MultimodalLM), "no other model has speech"
        generator = self._generator("speech")
        (latents,) = writer.model.speak([page], self._sampling, most, [generator])
        self._pending = speech_spans(writer.vocabulary, latents)[1:]
        assert writer.description.speech_codec_hash is not None
        return SpokenLatents(latents, writer.description.speech_codec_hash)

    def _text(
        self, page: ReadPage, ends: frozenset[int], room: int, ids: list[int]
    ) -> Iterator[str]:
        """Writes tokens into `ids`, the last of which may be an end, and yields their text."""
        decode, waiting = self._writer.sequences.tokenizer.decode, list[int]()
        for (token,) in self._writer.model.write(
            [page], ends, self._sampling, room, [self._generator("text")]
        ):
            assert token is not None
            ids.append(token)
            if token not in ends:
                waiting.append(token)
                text = decode(waiting)
                if not text.endswith(_UNFINISHED):
                    waiting = []
                    yield text
        if waiting:
            yield decode(waiting)

    def draw(self) -> Pictures:
        """Lets the model draw a picture at the end; InputError if there is no room for it."""
        writer, vocabulary = self._writer, self._writer.vocabulary
        self._check([*self._pending], writer.sequences.picture_elements)
        self._pending.append(token_span([vocabulary.boi]))
        generator, seed = self._generator("picture"), self._seed
        page = self._up_to_date()
        (drawn,) = writer.model.draw([page], writer.blank, self._sampling, [generator])
        if writer.model.space.num_codes:
            span: TokenSpan | LatentSpan = TokenSpan(vocabulary.codes + drawn, target=False)
        else:
            span = LatentSpan(IMAGE, drawn, target=False)
        self._pending = [span, token_span([vocabulary.eoi])]
        provenance = writer.provenance("a page", seed, **self._changes)
        return Pictures(writer.decode(drawn[None]), provenance)

    def _add(self, spans: Spans) -> None:
        self._check([*self._pending, *spans])
        self._pending += spans

    def _check(self, spans: Spans, more: int = 0) -> None:
        """Raises InputError if the page has no room for what is not read yet."""
        read = 0 if self._read is None else self._read.length
        length = read + more + sum(num_elements([span]) for span in spans)
        most = self._writer.description.row_length
        if length > most:
            raise InputError(
                f"the page would have {length} elements, and the model has rows of {most}; begin "
                "another page, or shorten this one"
            )

    def _up_to_date(self) -> ReadPage:
        """The page with all that was added read."""
        if any(num_elements([span]) for span in self._pending):
            self._read = self._writer.model.read(self._pending, self._read)
        self._pending = []
        assert self._read is not None
        return self._read

    def _generator(self, stream: str) -> torch.Generator:
        self._num_events += 1
        return make_generator(self._seed, f"page/{stream}", self._num_events)


def _marks_of_speech(writer: PageWriter) -> SpeechMarks:
    """The marks of a model's speech; ConfigError if it has none."""
    if writer.vocabulary.speech is None:
        raise ConfigError(
            f"the model {writer.name} has no speech; expected one that was trained with "
            "model.speech: give another model, or ask for text and pictures alone"
        )
    return writer.vocabulary.speech
