"""Which sources there are, the cheapest first, and how each is opened."""

from pathlib import Path

from latentspeech.core.errors import ConfigError
from sources.protocol import RecordedSpeech, Synthesizer

SOURCE_NAMES = ("asterisk", "flite", "piper", "kokoro")
DEBUG_SOURCES = ("flite",)  # a few megabytes, seconds for minutes of speech


def parse_source_names(text: str) -> list[str]:
    """Names with commas between them, put in the order of SOURCE_NAMES."""
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(SOURCE_NAMES))
    if unknown or not names:
        raise ConfigError(
            f"--sources {text!r} names {', '.join(unknown) or 'nothing'}; "
            f"known sources: {', '.join(SOURCE_NAMES)}"
        )
    return [name for name in SOURCE_NAMES if name in names]


def open_source(name: str, downloads: Path) -> Synthesizer | RecordedSpeech:
    """Loads a source; DataError with the command that installs it where it is missing."""
    # Each import pulls in what only that source needs.
    match name:
        case "asterisk":
            from sources.asterisk import Asterisk

            return Asterisk(downloads)
        case "flite":
            from sources.flite import Flite

            return Flite()
        case "piper":
            from sources.piper import Piper

            return Piper()
        case "kokoro":
            from sources.kokoro import Kokoro

            return Kokoro(downloads)
        case _:
            raise ConfigError(f"unknown source {name!r}; known: {', '.join(SOURCE_NAMES)}")
