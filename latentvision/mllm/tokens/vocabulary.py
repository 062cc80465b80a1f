"""The vocabulary of the multimodal model: the tokens of text, then the special ones.

    page_begin, page_end   around a page
    boi, eoi               BOD and EOD of a picture, around its latents
    slot                   the target of the softmax head where a latent follows
    question, answer       before the text of a question and of its answer

The number of all ids is rounded up to a multiple of 64, which suits matrix products. With cl100k it
is the paper's 100,288.
"""

from typing import NamedTuple

_MULTIPLE = 64


class Vocabulary(NamedTuple):
    """The ids of the special tokens, and the number of all ids."""

    text_size: int
    page_begin: int
    page_end: int
    boi: int
    eoi: int
    slot: int
    question: int
    answer: int
    size: int


def make_vocabulary(text_size: int) -> Vocabulary:
    """The vocabulary of a text tokenizer that takes the ids below `text_size`."""
    num_special = len(Vocabulary._fields) - 2
    size = -(-(text_size + num_special) // _MULTIPLE) * _MULTIPLE
    special = range(text_size, text_size + num_special)
    return Vocabulary._make([text_size, *special, size])
