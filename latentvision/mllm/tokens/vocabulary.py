"""The vocabulary of the multimodal model: the tokens of text, the special ones, picture codes.

    page_begin, page_end   around a page
    boi, eoi               BOD and EOD of a picture, around its latents
    slot                   the target of the softmax head where a latent follows
    question, answer       before the text of a question and of its answer
    codes                  the first code of a VQ tokenizer, if pictures are codes

The number of all ids is rounded up to a multiple of 64, which suits matrix products. With cl100k it
is the paper's 100,288.
"""

from typing import NamedTuple

_MULTIPLE = 64


class Vocabulary(NamedTuple):
    """The ids of the special tokens and of the first code, and the number of all ids."""

    text_size: int
    page_begin: int
    page_end: int
    boi: int
    eoi: int
    slot: int
    question: int
    answer: int
    codes: int
    size: int


def make_vocabulary(text_size: int, num_codes: int = 0) -> Vocabulary:
    """The vocabulary of a text tokenizer that takes the ids below `text_size`, and of codes."""
    num_special = len(Vocabulary._fields) - 3  # all but text_size, codes and size
    codes = text_size + num_special
    size = -(-(codes + num_codes) // _MULTIPLE) * _MULTIPLE
    special = range(text_size, codes)
    return Vocabulary._make([text_size, *special, codes, size])
