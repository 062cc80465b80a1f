"""A page: what the multimodal model learns from, text, pictures and speech in the order of reading.

text          only text
pair          a picture and its caption
interleaved   text with any number of pictures and of speech
questions     a picture, or several, with questions and their answers
"""

from dataclasses import dataclass
from typing import Literal

from PIL import Image

from latentspeech.core.errors import DataError, InputError
from latentvision.images.reading import decode_picture

PageKind = Literal["text", "pair", "interleaved", "questions"]


@dataclass(frozen=True)
class Text:
    """A piece of text, and whether it asks or answers."""

    text: str
    mark: Literal["plain", "question", "answer"] = "plain"
    given: tuple[str, ...] = ()  # of an answer: those of all people, of which `text` is one


@dataclass(frozen=True)
class Picture:
    """A picture: an encoded file, one already decoded, or None where the source has lost it."""

    name: str  # for messages
    content: bytes | Image.Image | None
    loss: str = "is missing; expected a picture; get it again"  # why `content` is None

    def decode(self) -> Image.Image:
        """The picture, mode RGB; DataError if it is missing or damaged."""
        if isinstance(self.content, Image.Image):
            return self.content
        if self.content is None:
            raise DataError(f"{self.name} {self.loss}, or set missing_pictures")
        try:
            return decode_picture(self.content, self.name)
        except InputError as error:
            raise DataError(f"{error}; or set missing_pictures") from None


@dataclass(frozen=True)
class Speech:
    """A recording by its name; its latents lie in shards (latentvision/mllm/speech_latents.py)."""

    name: str


Part = Text | Picture | Speech


@dataclass(frozen=True)
class Page:
    """A page. Its key is the same in every run; decisions at random depend on it."""

    key: str
    kind: PageKind
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class PageSize:
    """What is known of the size of a page before its pictures are read."""

    text_bytes: int  # in UTF-8
    num_pictures: int
    speech: tuple[str, ...] = ()  # names of its recordings


def size_of(page: Page) -> PageSize:
    """The size of a page."""
    texts = [part.text for part in page.parts if isinstance(part, Text)]
    # Lone surrogates count here, and are refused where text becomes tokens.
    num_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    speech = tuple(part.name for part in page.parts if isinstance(part, Speech))
    return PageSize(num_bytes, len(page.parts) - len(texts) - len(speech), speech)
