"""The parts of a book that are spoken and kept one by one.

A part is a few paragraphs of one chapter in one voice. Its name is a hash of all that its sound
depends on, so after a change of the book only what has changed is spoken anew.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from latentspeech.core.errors import InputError
from latentspeech.text.books import Chapter, Passage

MOST_CHARACTERS = 1500  # a minute and a half of speech
# Links, tags and addresses, of which nothing or little is spoken.
_UNSPOKEN = re.compile(r"<[^>]*>|!?\[[^\]]*\](?:\([^)]*\))?|https?:\S+")
_WORD = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True)
class Part:
    """Paragraphs, with a blank line between them, in the voice of that name."""

    chapter: int
    text: str
    voice: str | None  # None: the narrator

    def name(self, settings: dict[str, str]) -> str:
        """Returns a name that differs where text or settings do, 24 hex digits."""
        values = json.dumps([self.text, settings], sort_keys=True)
        return hashlib.sha256(values.encode()).hexdigest()[:24]


def parts_of(chapters: Sequence[Chapter], is_speakable: Callable[[str], bool]) -> list[Part]:
    """Divides chapters into parts, without paragraphs of which nothing can be spoken."""
    parts: list[Part] = []
    for number, chapter in enumerate(chapters):
        for passage in chapter.passages:
            if not (_WORD.search(_UNSPOKEN.sub(" ", passage.text)) or is_speakable(passage.text)):
                continue
            if parts and _joins(parts[-1], number, passage):
                text = f"{parts[-1].text}\n\n{passage.text}"
                parts[-1] = Part(number, text, passage.voice)
            else:
                parts.append(Part(number, passage.text, passage.voice))
    if not parts:
        raise InputError("there is nothing to speak in the book; give one with words")
    return parts


def _joins(part: Part, chapter: int, passage: Passage) -> bool:
    same = part.chapter == chapter and part.voice == passage.voice
    return same and len(part.text) + len(passage.text) <= MOST_CHARACTERS
