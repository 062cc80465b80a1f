"""What the text of pages costs a model, in nats a token and a byte.

Pages are taken as they are; of a pair the picture comes first, so its caption is a description.
Marks and codes of pictures are not counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from latentspeech.core.lm.mixed_batch import collate, cut
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.tensors import make_generator
from latentvision.mllm.documents.arrangement import ArrangementConfig, arrange, with_pictures
from latentvision.mllm.documents.page import Page, Text
from latentvision.mllm.documents.source import PageSource
from latentvision.mllm.page_writer import PageWriter
from latentvision.mllm.token_kinds import token_kinds

AS_READ = ArrangementConfig(caption_first=0.0, missing_pictures="leave_out")
Counted = Literal["all", "described"]
_PAGES_AT_ONCE = 8


@dataclass(frozen=True)
class TextLoss:
    """The cost of a page's text."""

    key: str
    nats: float
    num_tokens: int
    num_bytes: int  # of the text whose tokens are counted, in UTF-8


def text_losses(
    writer: PageWriter,
    source: PageSource,
    most: int,
    counted: Counted = "all",
) -> list[TextLoss]:
    """The cost of the first `most` pages; without text, or with lost pictures, they are left out.

    Args:
        writer: the model.
        source: the pages.
        most: how many pages.
        counted: all text, or only that which comes after a picture of its page.
    """
    losses: list[TextLoss] = []
    waiting: list[Page] = []
    for page in first_pages(source, most):
        arranged = arrange(page, AS_READ, 0, 0)
        shown = arranged and with_pictures(arranged, AS_READ, writer.sequences.encoder.shrink)
        if shown is not None and _text_bytes(shown, counted):
            waiting.append(shown)
        if len(waiting) == _PAGES_AT_ONCE:
            losses += _losses(writer, waiting, counted)
            waiting = []
    return losses + (_losses(writer, waiting, counted) if waiting else [])


def first_pages(source: PageSource, most: int) -> Iterator[Page]:
    """The first pages of a source."""
    left = most
    for number in range(source.num_shards):
        for index in source.shard(number)[:left]:
            yield source.page(index)
            left -= 1


@torch.inference_mode()
def _losses(writer: PageWriter, pages: Sequence[Page], counted: Counted) -> list[TextLoss]:
    pieces: list[MixedSequence] = []
    owner: list[int] = []
    for number, page in enumerate(pages):
        generator = make_generator(0, f"score/{page.key}")
        sequence = writer.sequences.sequence(page, generator)
        parts = cut(sequence, writer.description.row_length)
        pieces += parts
        owner += [number] * len(parts)
    batch = collate(pieces, writer.sequences.encoder.latent_dims).to(writer.model.device)
    nats, targets = writer.model.nats(batch)
    kinds = token_kinds(batch, writer.vocabulary)
    here = kinds.described if counted == "described" else kinds.described | kinds.text
    here = here & targets
    places = torch.tensor(owner)
    totals = torch.zeros(len(pages), 2, dtype=torch.float64)
    rows = torch.stack([(nats * here).sum(1).double(), here.sum(1).double()], dim=1).cpu()
    totals.index_add_(0, places, rows)
    return [
        TextLoss(page.key, nats_, int(tokens), _text_bytes(page, counted))
        for page, (nats_, tokens) in zip(pages, totals.tolist(), strict=True)
        if tokens
    ]


def _text_bytes(page: Page, counted: Counted) -> int:
    """The bytes of the text that is learned: not of questions, nor before the first picture."""
    after, total = counted == "all", 0
    for part in page.parts:
        if not isinstance(part, Text):
            after = True
        elif after and part.mark != "question":
            total += len(part.text.encode())
    return total
