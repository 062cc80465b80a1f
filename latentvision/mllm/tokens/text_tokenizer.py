"""The contract of a text tokenizer of the multimodal model: any Unicode text to tokens and back."""

from collections.abc import Sequence
from typing import Protocol

from latentspeech.core.errors import InputError


class TextTokenizer(Protocol):
    """Byte-level tokens: no text is unknown, and `decode(encode(text)) == text` for any text.

    Text is never read as a special token, whatever it looks like. The object can be pickled.
    """

    @property
    def size(self) -> int:
        """The number of ids that the tokenizer takes: its ids are below this number."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text; InputError if it is no Unicode text."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; bytes that are no UTF-8 become U+FFFD. InputError for unknown ids."""


def check_text(text: str) -> None:
    """Raises InputError if a text has lone surrogates, which no UTF-8 can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"the text has the lone surrogate U+{ord(text[error.start]):04X} at character "
            f"{error.start}; expected Unicode text; remove that character"
        ) from None


def check_ids(ids: Sequence[int], size: int) -> None:
    """Raises InputError unless all ids are those of a tokenizer of this size."""
    bad = next((i for i in ids if not 0 <= i < size), None)
    if bad is not None:
        raise InputError(
            f"token {bad} is none of the text tokenizer; expected 0 to {size - 1}; leave special "
            "tokens out before decoding"
        )
