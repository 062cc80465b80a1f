"""Which sources there are, the cheapest first, and how each is opened."""

from pathlib import Path

from latentspeech.core.errors import ConfigError
from sources.protocol import RecordedAudio, Synthesizer
from sources.terms import SOURCE_TERMS

_TEST_SPEAKERS = Path(__file__).parents[1] / "test_speakers.txt"
SOURCE_NAMES = tuple(SOURCE_TERMS)
# What a corpus of a few hours is made of; the others are asked for by name, or all with "all".
DEFAULT_SOURCES = ("asterisk", "flite", "piper", "kokoro")
DEBUG_SOURCES = ("flite",)  # a few megabytes, seconds for minutes of speech


def parse_source_names(text: str) -> list[str]:
    """Names with commas between them, or all, put in the order of SOURCE_NAMES."""
    if text.strip() == "all":
        return list(SOURCE_NAMES)
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(SOURCE_NAMES))
    if unknown or not names:
        raise ConfigError(
            f"--sources {text!r} names {', '.join(unknown) or 'nothing'}; "
            f"known sources: {', '.join(SOURCE_NAMES)}"
        )
    return [name for name in SOURCE_NAMES if name in names]


def open_source(name: str, downloads: Path, corpus: Path) -> Synthesizer | RecordedAudio:
    """Loads a source; DataError with the command that installs it where it is missing.

    Args:
        name: one of SOURCE_NAMES.
        downloads: folder that install_sources.sh fills.
        corpus: folder of the corpus that is being made; copies read what others put there.
    """
    # Each import pulls in what only that source needs.
    match name:
        case "flite" | "festival" | "piper" | "kokoro":
            return _open_synthesizer(name, downloads)
        case "world":
            from sources.world import World

            return World(corpus, held_out_speakers())
        case "kokoro_speed" | "queen_speed":
            from sources.speed import Speed

            return Speed(name, name.removesuffix("_speed"), corpus, held_out_speakers())
        case "drascula_music" | "sonic_pi" | "warzone_music":
            from sources.music import open_music

            return open_music(name, downloads)
        case "asterisk_music":
            from sources.asterisk_music import AsteriskMusic

            return AsteriskMusic(downloads)
        case "made_noise":
            from sources.made_noise import MadeNoise

            return MadeNoise()
        case "freedoom":
            from sources.freedoom import Freedoom

            return Freedoom(downloads)
        case _:
            return _open_speech(name, downloads)


def held_out_speakers() -> frozenset[str]:
    """Those of test_speakers.txt."""
    return frozenset(_TEST_SPEAKERS.read_text(encoding="utf-8").split())


def _open_synthesizer(name: str, downloads: Path) -> Synthesizer:
    match name:
        case "flite":
            from sources.flite import Flite

            return Flite()
        case "festival":
            from sources.festival import Festival

            return Festival()
        case "piper":
            from sources.piper import Piper

            return Piper()
        case _:
            from sources.kokoro import Kokoro

            return Kokoro(downloads)


def _open_speech(name: str, downloads: Path) -> RecordedAudio:
    match name:
        case "asterisk":
            from sources.asterisk import Asterisk

            return Asterisk(downloads)
        case "pocketsphinx":
            from sources.pocketsphinx import PocketSphinx

            return PocketSphinx(downloads)
        case "hedgewars":
            from sources.hedgewars import open_hedgewars

            return open_hedgewars(downloads)
        case "queen":
            from sources.queen import Queen

            return Queen(downloads)
        case "sky":
            from sources.sky import Sky

            return Sky(downloads)
        case "drascula":
            from sources.drascula import Drascula

            return Drascula(downloads)
        case "warzone":
            from sources.warzone import Warzone

            return Warzone(downloads)
        case "tuxpaint":
            from sources.tuxpaint import open_tuxpaint

            return open_tuxpaint(downloads)
        case _:
            raise ConfigError(f"unknown source {name!r}; known: {', '.join(SOURCE_NAMES)}")
