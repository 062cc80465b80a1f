"""What of a page is learned, and in which order: decided by its key and the epoch alone.

So a resumed run, and every process, decides as the first one did.

    pair         caption first (the picture is drawn) or picture first (it is described), by a
                 share. Some captions are left out, so that guidance has a model without condition.
    missing      a missing picture takes its pair or its questions with it, since their text is
                 about it; from an interleaved page the picture alone is left out
    left out     for a text-only twin every picture is left out, and what remains is learned; each
                 pair is its caption then
    empty        an empty caption, question or answer takes its page with it; other empty text is
                 left out, and so is a page of which nothing remains
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from PIL import Image
from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.errors import DataError
from latentspeech.core.seeds import derive_seed
from latentvision.mllm.documents.page import Page, Part, Picture, Text

_SEEDS = 2**63  # `derive_seed` gives numbers below it


class ArrangementConfig(Config):
    """Shares of the pairs, and what happens to missing pictures."""

    caption_first: float = Field(
        0.5, ge=0, le=1, description="share of pairs whose caption comes first; not in the paper"
    )
    caption_drop: float = Field(
        0.1, ge=0, le=1, description="share of those whose caption is left out; not in the paper"
    )
    missing_pictures: Literal["refuse", "leave_out"] = Field(
        "refuse", description="refuse: an error; leave_out: as this file's head says"
    )
    pictures: Literal["shown", "left_out"] = Field(
        "shown", description="left_out: a twin that learns the same pages without their pictures"
    )


def arrange(page: Page, config: ArrangementConfig, seed: int, epoch: int) -> Page | None:
    """The page as this epoch learns it; None if it is left out. All its pictures are there."""
    texts = [part.text for part in page.parts if isinstance(part, Text)]
    if page.kind in ("pair", "questions") and not (texts and all(map(str.strip, texts))):
        return None
    blind = config.pictures == "left_out"
    if page.kind == "pair" and not blind:
        return replace(page, parts=_pair(page, config, seed, epoch))
    parts = tuple(part for part in page.parts if not isinstance(part, Text) or part.text)
    if blind:
        parts = tuple(part for part in parts if not isinstance(part, Picture))
    return replace(page, parts=parts) if parts else None


def with_pictures(
    page: Page, config: ArrangementConfig, shrink: Callable[[Image.Image], Image.Image]
) -> Page | None:
    """The page with its pictures decoded and shrunk one by one; None if it is left out.

    Raises DataError if a picture is missing or damaged and `missing_pictures` is "refuse".
    """
    parts: list[Part] = []
    for part in page.parts:
        if not isinstance(part, Picture):
            parts.append(part)
            continue
        try:
            parts.append(replace(part, content=shrink(part.decode())))
        except DataError:
            if config.missing_pictures == "refuse":
                raise
            if page.kind != "interleaved":
                return None
    return replace(page, parts=tuple(parts))


def _pair(
    page: Page, config: ArrangementConfig, seed: int, epoch: int
) -> tuple[Text | Picture, ...]:
    captions = tuple(part for part in page.parts if isinstance(part, Text))
    pictures = tuple(part for part in page.parts if isinstance(part, Picture))
    if _draw(seed, f"direction/{epoch}/{page.key}") >= config.caption_first:
        return (*pictures, *captions)
    if _draw(seed, f"drop/{epoch}/{page.key}") < config.caption_drop:
        return pictures
    return (*captions, *pictures)


def _draw(seed: int, stream: str) -> float:
    """A number in [0, 1)."""
    return derive_seed(seed, stream) / _SEEDS
