"""The vocabulary of the multimodal model: the tokens of text, the special ones, picture codes.

    page_begin, page_end   around a page
    boi, eoi               BOD and EOD of a picture, around its latents
    slot                   the target of the softmax head where a latent follows
    question, answer       before the text of a question and of its answer
    codes                  the first code of a VQ tokenizer, if pictures are codes
    speech                 begin, end and slot of speech, after the codes, if a model has speech

The number of all ids is rounded up to a multiple of 64, which suits matrix products. With cl100k it
is the paper's 100,288.
"""

from typing import NamedTuple

_MULTIPLE = 64
_NUM_SPECIAL = 7  # page_begin to answer


class SpeechMarks(NamedTuple):
    """The ids of BOD, EOD and slot of speech."""

    begin: int
    end: int
    slot: int


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
    speech: SpeechMarks | None = None  # None: the model has no speech


def make_vocabulary(text_size: int, num_codes: int = 0, with_speech: bool = False) -> Vocabulary:
    """The vocabulary of a text tokenizer that takes the ids below `text_size`, and of codes.

    The marks of speech come last, so all other ids are the same with speech and without.
    """
    codes = text_size + _NUM_SPECIAL
    end = codes + num_codes
    speech = SpeechMarks(end, end + 1, end + 2) if with_speech else None
    size = -(-(end + (len(speech) if speech else 0)) // _MULTIPLE) * _MULTIPLE
    special = range(text_size, codes)
    return Vocabulary._make([text_size, *special, codes, size, speech])
