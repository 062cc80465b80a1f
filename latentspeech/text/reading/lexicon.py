"""A user's lexicon: how some words are spelled for the voice, or pronounced.

A line of the file is a word, a tab, and a spelling or a pronunciation between slashes:

    nginx<TAB>engine X
    Siobhan<TAB>/\u0283\u026a\u02c8v\u0254\u02d0n/

An entry in small letters is meant in any case, another one only as it is written.
"""

import re
from pathlib import Path
from typing import Self

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.errors import InputError
from latentspeech.text.reading.ipa import misaki_from_ipa, with_possessive
from latentspeech.text.reading.marked_text import Break, Marked, Run


class Lexicon(Config):
    """Words, and how each is spelled or pronounced."""

    entries: dict[str, str] = Field({}, description="word: spelling, or /IPA/ between slashes")

    @classmethod
    def from_file(cls, path: Path | str) -> Self:
        """Reads a file of lines `word<TAB>spelling` or `word<TAB>/IPA/`; # begins a comment.

        Raises:
            InputError: the file is missing or not UTF-8, a line is not as expected, or two lines
                have the same word.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"lexicon not found: {path}; give an existing UTF-8 text file")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} is not UTF-8 (byte {error.start}); convert it, for instance with iconv"
            ) from None
        entries: dict[str, str] = {}
        lines: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            word, _, said = (part.strip() for part in line.partition("\t"))
            if not (any(map(str.isalnum, word)) and said.strip("/ ")):
                raise InputError(
                    f"{path}, line {number}: found {line!r}; expected a word, a tab and its "
                    "spelling, or its pronunciation as /IPA/"
                )
            try:
                _as_run(word, said, 1.0)
            except InputError as error:
                raise InputError(f"{path}, line {number}: {error}") from None
            if word in entries:
                raise InputError(
                    f"{path}, lines {lines[word]} and {number}: {word!r} is spoken as "
                    f"{entries[word]!r} and as {said!r}; expected a word once: delete one line"
                )
            entries[word], lines[word] = said, number
        return cls(entries=entries)

    def mark(self, marked: Marked) -> Marked:
        """Returns the text with each of its words in the lexicon marked as the lexicon says.

        What has a reading of its own already keeps it.
        """
        if not self.entries:
            return marked
        longest_first = sorted(self.entries, key=len, reverse=True)
        words = "|".join(
            f"(?i:{re.escape(word)})" if word.islower() else re.escape(word)
            for word in longest_first
        )
        pattern = re.compile(rf"(?<!\w)({words})('s|\u2019s)?(?!\w)")
        found: list[Run | Break] = []
        for part in marked:
            if isinstance(part, Break) or part.written is not None or part.phonemes is not None:
                found.append(part)
            else:
                found += self._mark_run(part, pattern)
        return tuple(found)

    def _mark_run(self, run: Run, pattern: re.Pattern[str]) -> list[Run]:
        found = []
        end = 0
        for match in pattern.finditer(run.text):
            found.append(Run(run.text[end : match.start()], rate=run.rate))
            said = self.entries.get(match[1]) or self.entries[match[1].lower()]
            found.append(_as_run(match[1], said, run.rate, match[2] or ""))
            end = match.end()
        found.append(Run(run.text[end:], rate=run.rate))
        return [part for part in found if part.text]


def _as_run(word: str, said: str, rate: float, possessive: str = "") -> Run:
    """Returns a word that is said as an entry says, with its possessive ending."""
    whole = word + possessive
    if len(said) > 2 and said[0] == said[-1] == "/":
        phonemes = misaki_from_ipa(said[1:-1])
        phonemes = with_possessive(phonemes) if possessive else phonemes
        return Run(whole, whole, phonemes, rate)
    return Run(said + possessive, whole, None, rate)
