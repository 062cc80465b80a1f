"""Tidies the punctuation after the rules have run.

Letters, spaces and `. , ? ! ; : - ' "` are left, and nothing else: other signs, emoji among them,
are not spoken.
"""

import re

KEPT_PUNCTUATION = ".,?!;:-'\""

_TIDY_STEPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"''", '"'),
        (r"[()\[\]{}]", ", "),
        (r"[^\w\s.,?!;:'\"-]|[\d_]", " "),
        (r"(?<!\w)'(?!\w)", " "),  # an apostrophe that belongs to no word
        (r"-{2,}", " - "),
        (r"(?<=\w)-(?!\w)(?!\s)|(?<=\w)-(?=\s)|(?<![\w\s])-(?=\w)|(?<=\s)-(?=\w)", " "),
        (r"\s+", " "),
        (r" (?=[.,?!;:])", ""),
        (r"([?!])[?!.]+", r"\1"),
        (r",{2,}", ","),
        (r"[,;:]*([;:])[,;:]*", r"\1"),
        (r"[,;:](?=[.?!])", ""),
        (r"(?<=[.?!])[,;:]+", ""),
        (r"\.{4,}|(?<!\.)\.\.(?!\.)", "..."),
        (r"(?<=[.,?!;:])(?=[^\W_])", " "),
        (r"-(?: -)+", "-"),
        (r"(?<=[,;:]) - ?", " "),
    )
)


def tidy(text: str) -> str:
    """Leaves letters, single spaces and the kept punctuation; returns "" if no letter is left."""
    text = "".join(c if c.isascii() or c.isalpha() else " " for c in text)
    for pattern, replacement in _TIDY_STEPS:
        text = pattern.sub(replacement, text)
    text = text.lstrip(" .,?!;:-").rstrip(" ,;:-")
    return text if any(c.isalpha() for c in text) else ""
