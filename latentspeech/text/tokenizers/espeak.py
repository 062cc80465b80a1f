"""Phonemes of English words from the espeak-ng program, one process for many texts.

espeak-ng drops punctuation and breaks its output into lines at places of its own choice. So a text
is split at punctuation here, each clause goes in as a paragraph of its own (a line, then an empty
line), and the phonemes are put back between the marks. Double quotes are left out: they have no
sound, and a split there would stress the word before. Clauses are cached, since texts of one corpus
repeat them.
"""

import re
import subprocess
from collections.abc import Iterable, Sequence

from latentspeech.core.errors import InputError

PROGRAM = "espeak-ng"
MAX_CACHED_CLAUSES = 200_000
_MAX_CLAUSE_CHARS = 240  # espeak-ng reads lines of 1000 bytes; a character has up to four
_MARK = re.compile(r"([.,?!;:]+|(?<=\s)-(?=\s))")
_LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")
# In "A M" espeak-ng takes A for the article; double brackets hold phonemes in its own notation.
_SPELLED_A = re.compile(r"\bA(?= [A-Z](?![\w-]))|(?<=\b[A-Z] )A\b(?!-)")
_LETTER_A = "[['eI]]"


class Espeak:
    """Turns normalised texts into IPA strings that keep word spaces and punctuation."""

    def __init__(self, voice: str) -> None:
        self.voice = voice
        self._clauses: dict[str, str] = {}

    def phonemize(self, texts: Sequence[str]) -> list[str]:
        """IPA with stress marks for each normalised text."""
        parts = [_MARK.split(text.replace('"', "")) for text in texts]
        wanted = {_clause(part) for row in parts for part in row[::2]} - {""}
        missing = sorted(wanted - self._clauses.keys())
        if len(self._clauses) + len(missing) > MAX_CACHED_CLAUSES:
            self._clauses.clear()
            missing = sorted(wanted)
        if missing:
            self._clauses.update(zip(missing, self._say(missing), strict=True))
        return [self._assemble(row) for row in parts]

    def _assemble(self, parts: Sequence[str]) -> str:
        pieces = []
        for i, part in enumerate(parts):
            if i % 2:
                pieces.append(part)
            else:
                before = " " if part[:1].isspace() else ""
                after = " " if part[-1:].isspace() else ""
                pieces.append(before + self._clauses.get(_clause(part), "") + after)
        return " ".join("".join(pieces).split())

    def _say(self, clauses: Sequence[str]) -> list[str]:
        chunks = [list(_chunks(clause)) for clause in clauses]
        flat = [chunk for row in chunks for chunk in row]
        spoken = iter(self._run(flat))
        return [" ".join(filter(None, (next(spoken) for _ in row))) for row in chunks]

    def _run(self, chunks: Sequence[str]) -> list[str]:
        lines = "".join(_SPELLED_A.sub(_LETTER_A, chunk) + "\n\n" for chunk in chunks)
        paragraphs = _paragraphs(self._execute(lines), len(chunks))
        if paragraphs is not None:
            return paragraphs
        if len(chunks) == 1:
            raise InputError(f"{PROGRAM} gave no usable answer for {chunks[0][:40]!r}; reword it")
        # An odd chunk upset the count of lines: halve until it stands alone.
        half = len(chunks) // 2
        return self._run(chunks[:half]) + self._run(chunks[half:])

    def _execute(self, lines: str) -> str:
        command = [PROGRAM, "-q", "--ipa", "-b", "1", "-v", self.voice]
        try:
            done = subprocess.run(command, input=lines.encode(), capture_output=True, check=False)
        except FileNotFoundError:
            raise InputError(
                f"the program {PROGRAM} is not installed, and phoneme tokenizers need it; "
                "run `apt-get install espeak-ng` (macOS: `brew install espeak-ng`)"
            ) from None
        if done.returncode:
            reason = " ".join(done.stderr.decode(errors="replace").split())
            raise InputError(f"{PROGRAM} failed with exit code {done.returncode}: {reason}")
        return _LANGUAGE_SWITCH.sub("", done.stdout.decode(errors="replace"))


def _clause(part: str) -> str:
    """The clause that espeak-ng gets; "" for a part without a letter (a lone apostrophe)."""
    return part.strip() if any(c.isalpha() for c in part) else ""


def _chunks(clause: str) -> Iterable[str]:
    """The clause in lines that espeak-ng reads whole, split between words where possible."""
    while len(clause) > _MAX_CLAUSE_CHARS:
        cut = clause.rfind(" ", 1, _MAX_CLAUSE_CHARS)
        cut = cut if cut > 0 else _MAX_CLAUSE_CHARS
        yield clause[:cut]
        clause = clause[cut:].lstrip()
    if clause:
        yield clause


def _paragraphs(output: str, count: int) -> list[str] | None:
    """Lines up to each empty line, joined; None unless that gives `count` paragraphs.

    For a chunk without phonemes espeak-ng prints one empty line in place of the words.
    """
    lines = output.split("\n")
    paragraphs: list[str] = []
    position = 0
    while position < len(lines) and len(paragraphs) < count:
        start = position
        while position < len(lines) and lines[position].strip():
            position += 1
        paragraphs.append(" ".join(" ".join(lines[start:position]).split()))
        position += 1 if position > start else 2
    rest = lines[position:]
    return paragraphs if len(paragraphs) == count and not any(map(str.strip, rest)) else None
