"""Names all sources, the cheapest first, and opens them."""

from pathlib import Path

from egs.mini.local.sources.protocol import RecordedAudio, Synthesizer
from egs.mini.local.sources.terms import SOURCE_TERMS, held_out_speakers
from latentspeech.core.errors import ConfigError

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
            from egs.mini.local.sources.copies.world import World

            return World(corpus, held_out_speakers())
        case "kokoro_speed" | "queen_speed":
            from egs.mini.local.sources.copies.speed import Speed

            return Speed(name, name.removesuffix("_speed"), corpus, held_out_speakers())
        case "drascula_music" | "sonic_pi" | "warzone_music":
            from egs.mini.local.sources.sounds.music import open_music

            return open_music(name, downloads)
        case "asterisk_music":
            from egs.mini.local.sources.sounds.asterisk_music import AsteriskMusic

            return AsteriskMusic(downloads)
        case "made_noise":
            from egs.mini.local.sources.sounds.made_noise import MadeNoise

            return MadeNoise()
        case "freedoom":
            from egs.mini.local.sources.sounds.freedoom import Freedoom

            return Freedoom(downloads)
        case _:
            return _open_speech(name, downloads)


def _open_synthesizer(name: str, downloads: Path) -> Synthesizer:
    match name:
        case "flite":
            from egs.mini.local.sources.synthesizers.flite import Flite

            return Flite()
        case "festival":
            from egs.mini.local.sources.synthesizers.festival import Festival

            return Festival()
        case "piper":
            from egs.mini.local.sources.synthesizers.piper import Piper

            return Piper()
        case _:
            from egs.mini.local.sources.synthesizers.kokoro import Kokoro

            return Kokoro(downloads)


def _open_speech(name: str, downloads: Path) -> RecordedAudio:
    match name:
        case "asterisk":
            from egs.mini.local.sources.recordings.asterisk import Asterisk

            return Asterisk(downloads)
        case "pocketsphinx":
            from egs.mini.local.sources.recordings.pocketsphinx import PocketSphinx

            return PocketSphinx(downloads)
        case "hedgewars":
            from egs.mini.local.sources.recordings.hedgewars import open_hedgewars

            return open_hedgewars(downloads)
        case "queen":
            from egs.mini.local.sources.recordings.queen import Queen

            return Queen(downloads)
        case "sky":
            from egs.mini.local.sources.recordings.sky import Sky

            return Sky(downloads)
        case "drascula":
            from egs.mini.local.sources.recordings.drascula import Drascula

            return Drascula(downloads)
        case "warzone":
            from egs.mini.local.sources.recordings.warzone import Warzone

            return Warzone(downloads)
        case "tuxpaint":
            from egs.mini.local.sources.recordings.tuxpaint import open_tuxpaint

            return open_tuxpaint(downloads)
        case _:
            raise ConfigError(f"unknown source {name!r}; known: {', '.join(SOURCE_NAMES)}")
