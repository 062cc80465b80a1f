"""Draws, describes and answers: a model of pages and its tokenizers, by one call each.

    writer = PageWriter.from_directory(path)
    writer.draw("a red apple", num=4, seed=1).save("apples.png")
    writer.caption("cat.png"); writer.ask("cat.png", "What is it?")

An open page (open_page.py) goes on for as long as its row has room.

R pages, N latents of a picture, D latent size, H height, W width.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor

from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.lm.mixed_sequence import LatentSpan, TokenSpan
from latentspeech.core.lm.sampling.generate import token_span
from latentspeech.core.tensors import make_generator
from latentspeech.core.version import VERSION
from latentvision.generation.generator import Advance
from latentvision.generation.painter import BATCH_SIZE, Pictures
from latentvision.images.reading import read_picture
from latentvision.mllm.documents.page import Page, Picture
from latentvision.mllm.model_directory import LoadedPageModel, load_page_model
from latentvision.mllm.models.page_model import ReadPage
from latentvision.mllm.models.sampling import PageSampling

Spans = list[TokenSpan | LatentSpan]
MAX_TOKENS = 64  # of a description or an answer, by default


def _nothing(done: int, of_all: int) -> None:
    pass


class PageWriter:
    """A model of pages with its tokenizers."""

    def __init__(self, loaded: LoadedPageModel, name: str = "") -> None:
        """Args: `name` stands in the files that are written."""
        self.model = loaded.model
        self.description = loaded.description
        self.sequences = loaded.sequences
        self.tokenizer = loaded.tokenizer
        self.vocabulary = loaded.model.vocabulary
        self.name = name

    @classmethod
    def from_directory(cls, directory: Path, device: torch.device | str = "cpu") -> Self:
        """Loads a model directory."""
        return cls(load_page_model(directory, device), directory.resolve().name)

    def sampling(self, **changes: Any) -> PageSampling:
        """The model's own settings with changes; None leaves a setting as it is.

        Raises:
            ConfigError: a setting is unknown or out of range.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        return parse_config(PageSampling, self.description.sampling.model_dump() | given, "options")

    def draw(
        self, text: str, num: int = 1, seed: int = 0, advance: Advance = _nothing, **changes: Any
    ) -> Pictures:
        """Draws pictures of what a text says.

        Args:
            text: a description, as the captions of the training were.
            num: how many; picture i depends on the seed and on i alone.
            seed: the same seed gives the same pictures.
            advance: is told how much of the work is done.
            changes: settings of `PageSampling` that differ from the model's, such as cfg_scale.

        Raises:
            InputError: the text is empty, or too long for a row of the model.
            ConfigError: a setting is out of range.
        """
        if num < 1:
            raise ConfigError(f"num is {num}; expected at least 1 picture")
        generators = [make_generator(seed, "picture", index) for index in range(num)]
        return Pictures(
            self.draw_each([text] * num, generators, advance, **changes),
            self.provenance(text, seed, **changes),
        )

    def draw_each(
        self,
        texts: Sequence[str],
        generators: Sequence[torch.Generator],
        advance: Advance = _nothing,
        **changes: Any,
    ) -> Tensor:
        """Draws a picture of each text with a generator of its own -> (R, 3, H, W)."""
        sampling = self.sampling(**changes)
        read = {text: self.before_picture(text) for text in texts}
        pages = [read[text] for text in texts]
        batches = [range(len(texts))[s : s + BATCH_SIZE] for s in range(0, len(texts), BATCH_SIZE)]
        parts = []
        for place, batch in enumerate(batches):

            def tell(done: int, of_all: int, place: int = place) -> None:
                advance(place * of_all + done, len(batches) * of_all)

            some = [pages[number] for number in batch]
            streams = [generators[number] for number in batch]
            parts.append(self.decode(self.model.draw(some, self.blank, sampling, streams, tell)))
        return torch.cat(parts)

    def caption(self, picture: Image.Image | str | Path, **options: Any) -> str:
        """Describes a picture; `captions` explains the options."""
        return self.captions([picture], **options)[0]

    def captions(self, pictures: Sequence[Image.Image | str | Path], **options: Any) -> list[str]:
        """Describes pictures, all at once.

        Args:
            pictures: decoded, or paths of files.
            options: max_tokens (64), seed (0), and settings of `PageSampling`.

        Raises:
            InputError: a picture cannot be read.
        """
        pages = [self.model.read([*self.begin(), *self.picture_spans(p)]) for p in pictures]
        return self._texts(pages, frozenset([self.vocabulary.page_end]), **options)

    def ask(self, picture: Image.Image | str | Path, question: str, **options: Any) -> str:
        """Answers a question about a picture; `answers` explains the options."""
        return self.answers([picture], [question], **options)[0]

    def answers(
        self,
        pictures: Sequence[Image.Image | str | Path | None],
        questions: Sequence[str],
        **options: Any,
    ) -> list[str]:
        """Answers a question about each picture, all at once.

        Args:
            pictures: decoded, or paths of files; None asks without a picture.
            questions: one for each picture.
            options: those of `captions`.

        Raises:
            InputError: a picture cannot be read, or a question is empty or too long.
        """
        shown = [[] if one is None else self.picture_spans(one) for one in pictures]
        pages = [
            self.model.read([*self.begin(), *spans, *self.question_spans(question)])
            for spans, question in zip(shown, questions, strict=True)
        ]
        ends = frozenset([self.vocabulary.page_end, self.vocabulary.question])
        return self._texts(pages, ends, **options)

    def _texts(
        self,
        pages: Sequence[ReadPage],
        end_ids: frozenset[int],
        max_tokens: int = MAX_TOKENS,
        seed: int = 0,
        **changes: Any,
    ) -> list[str]:
        if max_tokens < 1:
            raise ConfigError(f"max_tokens is {max_tokens}; expected at least 1")
        room = min(max_tokens, *(self.room(page) for page in pages))
        generators = [make_generator(seed, "text", number) for number in range(len(pages))]
        written: list[list[int]] = [[] for _ in pages]
        for step in self.model.write(pages, end_ids, self.sampling(**changes), room, generators):
            for ids, token in zip(written, step, strict=True):
                if token is not None and token not in end_ids:
                    ids.append(token)
        return [self.sequences.tokenizer.decode(ids).strip() for ids in written]

    def begin(self) -> Spans:
        """The beginning of every page."""
        return [token_span([self.vocabulary.page_begin])]

    def text_spans(self, text: str) -> Spans:
        """A text; InputError if it is empty or too long for any page."""
        if not text.strip():
            raise InputError("the text is empty; expected some words; give a text")
        ids = self.sequences.tokenizer.encode(text)
        most = self.description.row_length - self.sequences.picture_elements - 1
        if len(ids) > most:
            raise InputError(
                f"the text has {len(ids)} tokens; expected at most {most}, so that it fits a "
                f"row of {self.description.row_length} elements beside a picture; shorten it"
            )
        return [token_span(ids)]

    def question_spans(self, question: str) -> Spans:
        """A question, and the mark after which its answer follows."""
        marks = [token_span([self.vocabulary.question]), token_span([self.vocabulary.answer])]
        return [marks[0], *self.text_spans(question), marks[1]]

    def picture_spans(self, picture: Image.Image | str | Path) -> Spans:
        """A picture in its marks; the sample of its posterior is the same one each time."""
        found = picture if isinstance(picture, Image.Image) else read_picture(Path(picture))
        shown = Picture("picture", self.sequences.encoder.shrink(found.convert("RGB")))
        page = Page("", "interleaved", (shown,))
        generator = make_generator(0, "picture read")
        return list(self.sequences.sequence(page, generator, ends=False)[1:])

    def before_picture(self, text: str) -> ReadPage:
        """The page of a text, up to BOI."""
        boi = token_span([self.vocabulary.boi])
        return self.model.read([*self.begin(), *self.text_spans(text), boi])

    @functools.cached_property
    def blank(self) -> ReadPage:
        """The page without a condition, up to BOI, for guidance."""
        return self.model.read([*self.begin(), token_span([self.vocabulary.boi])])

    def room(self, page: ReadPage) -> int:
        """How many more elements fit; InputError if none does."""
        room = self.description.row_length - page.length
        if room < 1:
            raise InputError(
                f"the page has {page.length} elements, and the model has rows of "
                f"{self.description.row_length}; begin another page"
            )
        return room

    def decode(self, drawn: Tensor) -> Tensor:
        """Latents (R, N, D) or codes (R, N) -> images (R, 3, H, W) on the CPU."""
        with torch.inference_mode():
            on_device = drawn.to(self.tokenizer.device)
            if self.model.space.num_codes:
                return self.tokenizer.decode_codes(on_device).cpu()
            return self.tokenizer.decode(on_device).cpu()

    def provenance(self, text: str, seed: int, **changes: Any) -> dict[str, str]:
        """The text chunks of a file of pictures of this text, seed and settings."""
        values = self.sampling(**changes).model_dump(mode="json")
        settings = ", ".join(f"{name} {value}" for name, value in values.items())
        return {
            "Software": f"latentvision {VERSION}",
            "Comment": f"drawn by model {self.name} from {text!r}, seed {seed}, {settings}",
        }
