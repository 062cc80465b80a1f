"""Words that the dictionary lacks or misreads, in a table that people can add to (lexicon.tsv)."""

from pathlib import Path
from typing import Any

from latentspeech.text.pronunciation.letters import LETTER_NAMES

TABLE = Path(__file__).parent / "lexicon.tsv"
_PARTS = {"noun": "NOUN", "verb": "VERB", "adj": "ADJ"}


def read_lexicon(path: Path = TABLE) -> dict[str, Any]:
    """Entries in the dictionary's form: phonemes, or phonemes by part of speech with a DEFAULT."""
    entries: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        word, phonemes, *part = line.split("\t")
        if not part:
            entries[word] = phonemes
            continue
        entry = entries.get(word)
        entry = entry if isinstance(entry, dict) else {"DEFAULT": entry or phonemes}
        entries[word] = entry | {_PARTS[part[0]]: phonemes}
    return entries


def add_to(dictionary: dict[str, Any], entries: dict[str, Any]) -> None:
    """Puts entries into a dictionary.

    An entry with capitals is put in small letters as well, and one in small letters with a capital,
    where the dictionary has no word of that spelling: "github", "Nginx", but not "latex".
    """
    for word, entry in entries.items():
        for other in {word.lower(), word.capitalize(), word[0].upper() + word[1:]} - {word}:
            if other not in entries:
                dictionary.setdefault(other, entry)
    dictionary.update(entries)
    dictionary.update(LETTER_NAMES)
