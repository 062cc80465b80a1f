"""The options of commands that say how a text is delivered."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentspeech.text.reading import Delivery


def make_delivery(
    speed: float,
    sentence_pause: float | None,
    paragraph_pause: float | None,
    lexicon: Path | None,
) -> "Delivery":
    """Returns the delivery that the options of a command ask for."""
    from latentspeech.core.config import parse_config
    from latentspeech.text.reading import PLAIN, Delivery, Lexicon

    asked = {"sentence_s": sentence_pause, "paragraph_s": paragraph_pause}
    given = {name: value for name, value in asked.items() if value is not None}
    entries = {} if lexicon is None else Lexicon.from_file(lexicon).model_dump()
    values = {"speed": speed, "pauses": PLAIN.pauses.model_dump() | given, "lexicon": entries}
    return parse_config(Delivery, values, "options")
