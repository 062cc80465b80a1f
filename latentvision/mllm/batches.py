"""Training data of the multimodal model: packed rows of pages, planned a window at a time.

A batch holds pages of about `batch_elements` elements, of any kind that its source has. So in a
mixture of several sources (core's `MixedData`) the unit of the weights 2 : 1 : 1 is the element, a
token or a latent, and not the page.

Pages become tokens and latents when they are loaded, so a plan only estimates their sizes. A page
longer than a row is cut between rows, but never within a picture or speech. A page longer than a
batch loses what does not fit, and then has no page_end.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.data.bucketing import plan_packed
from latentspeech.core.data.windows import num_windows, shards_of_window
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.lm.mixed_batch import MixedBatch, pack
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.seeds import derive_seed
from latentspeech.core.tensors import make_generator
from latentvision.mllm.documents.arrangement import ArrangementConfig, arrange, with_pictures
from latentvision.mllm.documents.page import Page, PageSize, Part, Picture, Speech
from latentvision.mllm.documents.source import PageSource
from latentvision.mllm.sequence import PageSequences

logger = logging.getLogger(__name__)

_MARKS = 2  # page_begin and page_end
# Of pages this many times shorter than a row, which are often alike, the plan rounds sizes up.
_SMALL = 8


class PageBatchConfig(Config):
    """How pages become batches."""

    batch_elements: int = Field(16_384, ge=1, description="elements of a batch, about")
    row_length: int = Field(4096, ge=2, description="elements of a packed row; the paper's is 4096")
    bytes_per_token: float = Field(
        4.0, ge=1, description="of the text tokenizer on this text, to estimate sizes"
    )
    max_batch_pages: int = Field(4096, ge=1, description="most pages of a batch")
    window_shards: int = Field(16, ge=1, description="shards that are shuffled together")
    max_valid: int = Field(1000, ge=1, description="pages of validation, the first of the source")
    arrangement: ArrangementConfig = Field(ArrangementConfig(), description="order of pairs")


class PlannedPage(NamedTuple):
    """A page of a batch, and the epoch, by which it is arranged."""

    page: int  # its index in the source
    epoch: int


class PageBatches:
    """Implements `plan` and `load` of training data for one source of pages.

    With `valid` there is one window, the first pages of the source, arranged as in epoch 0.
    """

    def __init__(
        self,
        source: PageSource,
        sequences: PageSequences,
        config: PageBatchConfig,
        seed: int,
        valid: bool = False,
    ) -> None:
        """Raises ConfigError if a row or a batch has no room for a picture."""
        least, rows = sequences.picture_elements + 1, (config.row_length, config.batch_elements)
        if min(rows) < least:
            raise ConfigError(
                f"row_length is {rows[0]} and batch_elements {rows[1]}, but a picture and the "
                f"token before it take {least} elements; make both at least {least}"
            )
        self._source = source
        self._sequences = sequences
        self._config = config
        self._seed = seed
        self._valid = valid
        self._window_shards = min(config.window_shards, source.max_window_shards)

    def __str__(self) -> str:
        return str(self._source)

    def num_windows(self) -> int:
        """Windows of an epoch."""
        return 1 if self._valid else num_windows(self._source.num_shards, self._window_shards)

    def plan(self, epoch: int, window: int) -> Sequence[Sequence[PlannedPage]]:
        """The batches of a window, in random order."""
        epoch = 0 if self._valid else epoch
        indices = self._first_indices() if self._valid else self._window(epoch, window)
        config = self._config
        sizes = [self._estimate(self._source.size(index)) for index in indices]
        batches = plan_packed(
            [min(size, config.batch_elements) for size in sizes],
            config.batch_elements,
            config.max_batch_pages,
            derive_seed(self._seed, "pages", window),
            epoch,
        )
        return [[PlannedPage(indices[place], epoch) for place in batch] for batch in batches]

    def load(self, items: Sequence[PlannedPage], seed: int) -> MixedBatch:
        """Reads the pages and packs their sequences; `seed` draws the posteriors' samples.

        Raises DataError if a page is damaged, or if none of the pages can be used.
        """
        found = [self._sequence(item, derive_seed(seed, "page", n)) for n, item in enumerate(items)]
        sequences = [sequence for sequence in found if sequence is not None]
        if len(sequences) < len(items):
            logger.info("%d of %d pages left out", len(items) - len(sequences), len(items))
        if not sequences:
            raise DataError(
                f"none of the {len(items)} pages of a batch of {self._source} can be used, since "
                "their pictures are missing or their text is empty; see that the disk with the "
                "pictures is there, or make batch_elements larger"
            )
        dims = self._sequences.latent_dims
        return pack(sequences, dims, self._config.row_length, too_long="cut")

    def _sequence(self, item: PlannedPage, seed: int) -> MixedSequence | None:
        arrangement = self._config.arrangement
        read = self._source.page(item.page)
        page = arrange(read, arrangement, self._seed, item.epoch)
        if page is None:
            return None
        short = self._shortened(page)
        shown = with_pictures(short, arrangement, self._sequences.encoder.shrink)
        if shown is None or not shown.parts:
            return None
        ends = short is page
        return self._sequences.sequence(shown, make_generator(seed, "posterior"), ends)

    def _estimate(self, size: PageSize) -> int:
        text = math.ceil(size.text_bytes / self._config.bytes_per_token)
        shown = size.num_pictures if self._config.arrangement.pictures == "shown" else 0
        elements = _MARKS + text + shown * self._sequences.picture_elements
        elements += sum(self._sequences.speech_elements(name) for name in size.speech)
        row = self._config.row_length
        # A row that holds 15 alike pages and a half has room for 15. Without this, the pages of a
        # batch would need one row more, with a single page in it.
        return math.ceil(row / (row // elements)) if _SMALL * elements <= row else elements

    def _shortened(self, page: Page) -> Page:
        """The page itself, or as many of its parts as a batch has room for.

        Speech, like a picture, is never cut, so speech longer than a row ends the page as well.
        """
        room = float(self._config.batch_elements - _MARKS)
        parts: list[Part] = []
        for part in page.parts:
            if isinstance(part, Picture | Speech):
                elements = self._elements(part)
                room -= elements
                if room < 0 or elements >= self._config.row_length:
                    return replace(page, parts=tuple(parts))
            else:
                most = math.floor(room * self._config.bytes_per_token)
                text = part.text.encode("utf-8", "surrogatepass")
                if len(text) > most:
                    start = text[:most].decode("utf-8", "ignore")
                    return replace(page, parts=(*parts, replace(part, text=start)))
                room -= len(text) / self._config.bytes_per_token
            parts.append(part)
        return page

    def _elements(self, part: Picture | Speech) -> int:
        if isinstance(part, Picture):
            return self._sequences.picture_elements
        return self._sequences.speech_elements(part.name)

    def _window(self, epoch: int, window: int) -> list[int]:
        shards = range(self._source.num_shards)
        chosen = shards_of_window(shards, self._window_shards, self._seed, epoch, window)
        return [index for number in chosen for index in self._source.shard(number)]

    def _first_indices(self) -> list[int]:
        found: list[int] = []
        for number in range(self._source.num_shards):
            found += self._source.shard(number)[: self._config.max_valid - len(found)]
            if len(found) == self._config.max_valid:
                break
        return found
