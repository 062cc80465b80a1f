"""How a text is delivered: its pace, the pauses in it and the user's own pronunciations."""

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.errors import ConfigError
from latentspeech.text.reading.lexicon import Lexicon

SLOWEST, FASTEST = 0.5, 2.0  # of speed, alone and times the rates of SSML


class Pauses(Config):
    """Silence between pieces of text, beside what the voice itself pauses at punctuation."""

    sentence_s: float = Field(0.25, ge=0, le=10, description="between two sentences, s")
    paragraph_s: float = Field(0.6, ge=0, le=10, description="between two paragraphs, s")
    clause_s: float = Field(
        0.15, ge=0, le=10, description="where a sentence is too long to be spoken at once, s"
    )


class Delivery(Config):
    """How a text is spoken; the default leaves everything to the voice."""

    speed: float = Field(
        1.0, ge=SLOWEST, le=FASTEST, description="times the voice's own pace; the pitch stays"
    )
    pauses: Pauses = Field(Pauses(), description="silence between sentences and paragraphs")
    lexicon: Lexicon = Field(Lexicon(), description="how some words are pronounced")


PLAIN = Delivery()


def check_rate(rate: float, origin: str) -> None:
    """Raises ConfigError for a rate outside the range in which speech stays intelligible."""
    if not SLOWEST <= rate <= FASTEST:
        raise ConfigError(
            f"{origin} is {rate:g} times the voice's own pace; expected {SLOWEST:g} to {FASTEST:g}"
        )
