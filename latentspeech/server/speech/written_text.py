"""Text that comes while it is written: which of it can be spoken already."""

import re

from latentspeech.text.reading.ssml import is_ssml
from latentspeech.text.sentences import split_sentences
from latentspeech.tts.synthesizer import MAX_SENTENCE_CHARACTERS

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")


class WrittenText:
    """Holds text back until a sentence is complete, which shows when the next one begins.

    The first sentence of a later paragraph keeps a blank line before it. SSML waits for `flush`.
    """

    def __init__(self) -> None:
        self._waiting = ""

    def add(self, text: str) -> list[str]:
        """Adds text; returns the sentences that are complete now."""
        self._waiting += text
        if is_ssml(self._waiting):
            return []
        paragraphs = _BLANK_LINE.split(self._waiting)
        complete: list[str] = []
        for number, paragraph in enumerate(paragraphs):
            pieces = split_sentences(paragraph, MAX_SENTENCE_CHARACTERS)
            if pieces and number:
                pieces[0] = "\n\n" + pieces[0]
            if number < len(paragraphs) - 1:
                complete += pieces
            elif len(pieces) > 1 or number:
                # The last piece may go on, in the middle of a word or after it.
                last = pieces.pop() if pieces else "\n\n"
                self._waiting = last + paragraph[len(paragraph.rstrip()) :]
                complete += pieces
        return complete

    def flush(self) -> list[str]:
        """Returns what waits, as complete as it is; nothing if no word does."""
        waiting, self._waiting = self._waiting, ""
        return [waiting] if any(character.isalnum() for character in waiting) else []
