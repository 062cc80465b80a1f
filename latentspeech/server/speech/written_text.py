"""Text that comes while it is written: which of it can be spoken already."""

from latentspeech.text.sentences import split_sentences
from latentspeech.tts.synthesizer import MAX_SENTENCE_CHARACTERS


class WrittenText:
    """Holds text back until a sentence is complete, which shows when the next one begins."""

    def __init__(self) -> None:
        self._waiting = ""

    def add(self, text: str) -> list[str]:
        """Adds text; returns the sentences that are complete now."""
        self._waiting += text
        pieces = split_sentences(self._waiting, MAX_SENTENCE_CHARACTERS)
        if len(pieces) < 2:
            return []
        # The last piece may go on, in the middle of a word or after it.
        self._waiting = pieces.pop() + (" " if self._waiting[-1].isspace() else "")
        return pieces

    def flush(self) -> list[str]:
        """Returns what waits, as complete as it is; nothing if no word does."""
        waiting, self._waiting = self._waiting, ""
        return [waiting] if any(character.isalnum() for character in waiting) else []
