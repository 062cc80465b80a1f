"""Tells the tokens of a batch of pages apart: text, text after a picture or speech, codes.

B rows, T elements.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from latentspeech.core.lm.mixed_batch import MixedBatch
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentspeech.core.nn.sequence_mask import run_bounds
from latentvision.mllm.tokens.vocabulary import Vocabulary


class TokenKinds(NamedTuple):
    """Where tokens of text and of pictures stand, (B, T) each."""

    text: Tensor  # text before any picture and speech of its page
    described: Tensor  # text after a picture or speech of its page
    codes: Tensor  # codes of pictures


def token_kinds(batch: MixedBatch, vocabulary: Vocabulary) -> TokenKinds:
    """Tells tokens apart by the vocabulary, and by the pictures before them in their segment."""
    is_token = batch.kinds == TOKEN
    text = is_token & (batch.token_ids < vocabulary.text_size)
    ends = {vocabulary.eoi} | ({vocabulary.speech.end} if vocabulary.speech else set())
    last = torch.tensor(sorted(ends), device=batch.token_ids.device)
    ended = (is_token & torch.isin(batch.token_ids, last)).long()
    segments = torch.zeros_like(batch.kinds) if batch.segment_ids is None else batch.segment_ids
    first, _ = run_bounds(segments)
    seen = ended.cumsum(dim=1)
    before = seen - (seen - ended).gather(1, first)  # those of the page before each element
    ids, end = batch.token_ids, vocabulary.speech.begin if vocabulary.speech else vocabulary.size
    codes = is_token & (ids >= vocabulary.codes) & (ids < end)
    return TokenKinds(text & (before == 0), text & (before > 0), codes)
