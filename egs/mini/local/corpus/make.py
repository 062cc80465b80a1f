"""Makes the mini corpus: voices, recordings, music and noises that packages ship, 24 kHz FLAC.

    python -m egs.mini.local.corpus.make --out egs/mini/data/full/corpus --hours 2.5 --jobs 2
    python -m egs.mini.local.corpus.make --out egs/mini/data/debug/corpus --hours 0.1 --debug
    python -m egs.mini.local.corpus.make --out egs/mini/data/corpus --hours 30 --sources all \
        --hours_of flite=0.3,kokoro=12,world=3

Stop it at any time; the same command goes on. Cheap sources come first. If a source is missing or
broken, the command names it, goes on with the others, and fails in the end.
"""

import argparse
import logging
import math
from pathlib import Path

from egs.mini.local.corpus.fill import add_recordings, add_speech
from egs.mini.local.corpus.importing import import_corpus
from egs.mini.local.corpus.plan import share
from egs.mini.local.corpus.summary import write_summary
from egs.mini.local.corpus.texts import built_in_sentences, installed_sentences, shuffled
from egs.mini.local.corpus.writer import CorpusWriter
from egs.mini.local.sources.catalogue import (
    DEBUG_SOURCES,
    DEFAULT_SOURCES,
    SOURCE_NAMES,
    open_source,
    parse_source_names,
)
from egs.mini.local.sources.protocol import Synthesizer
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

DOWNLOADS = Path(__file__).parents[2] / "downloads"
# A source's share of the sentences must not change when others are added.
_SENTENCE_SHARES = ("festival", "flite", "piper", "kokoro")


def main() -> None:
    """Imports, then lets each source speak until the hours are there."""
    options = parse_arguments()
    names = parse_source_names(
        options.sources or ",".join(DEBUG_SOURCES if options.debug else DEFAULT_SOURCES)
    )
    limits = parse_hours_of(options.hours_of)
    broken: list[str] = []
    with CorpusWriter(options.out) as writer:
        if options.import_dir is not None:
            import_corpus(options.import_dir, writer, options.hours)
            write_summary(writer, options.downloads)
        for name in names:
            try:
                add_source(name, writer, names, limits.get(name, math.inf), options)
            except DataError as error:
                logger.error("%s", error)
                broken.append(name)
            write_summary(writer, options.downloads)
        # Even if nothing was missing: a killed run may have left an old summary.
        write_summary(writer, options.downloads)
        logger.info("%.2f hours in %d voices: %s", writer.hours, len(writer.seconds), options.out)
        if writer.hours < options.hours:
            logger.warning(
                "that is less than --hours %g: %s gave all they may; add to --sources (known: %s)",
                options.hours,
                ", ".join(names),
                ", ".join(SOURCE_NAMES),
            )
    if broken:
        raise DataError(
            f"{options.out} was made without {', '.join(broken)} (see above); install what is "
            "missing and run the same command again, or leave it out of --sources"
        )


def add_source(
    name: str,
    writer: CorpusWriter,
    names: list[str],
    max_source_hours: float,
    options: argparse.Namespace,
) -> None:
    """Opens one source and takes from it what is missing."""

    def is_full() -> bool:
        return bool(writer.hours >= options.hours or writer.source_hours(name) >= max_source_hours)

    if is_full():
        return
    source = open_source(name, options.downloads, writer.folder)
    if not isinstance(source, Synthesizer):
        add_recordings(name, source, writer, is_full)
        return
    if options.debug:
        # Few sentences: shared among the sources in use only.
        sentences = share(shuffled(built_in_sentences(), options.seed), name, names)
    else:
        everything = shuffled(installed_sentences(options.downloads), options.seed)
        sentences = share(everything, name, _SENTENCE_SHARES)
    add_speech(name, source, sentences, writer, is_full, options.jobs)


def parse_hours_of(text: str) -> dict[str, float]:
    """Hours by source of `queen=2,kokoro=10`."""
    limits = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = item.partition("=")
        try:
            hours = float(number)
        except ValueError:
            hours = -1.0
        if name not in SOURCE_NAMES or not 0 <= hours < math.inf:
            raise ConfigError(
                f"--hours_of has {item!r}; expected SOURCE=HOURS with commas between, the sources "
                f"being {', '.join(SOURCE_NAMES)}"
            )
        limits[name] = hours
    return limits


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="corpus folder to make or continue")
    parser.add_argument("--hours", type=float, default=2.5, help="hours in the end, of all")
    parser.add_argument(
        "--sources",
        default="",
        help=f"of {','.join(SOURCE_NAMES)}, or all (default {','.join(DEFAULT_SOURCES)})",
    )
    parser.add_argument("--hours_of", default="", help="at most of a source: queen=2,kokoro=10")
    parser.add_argument("--jobs", type=int, default=1, help="sentences at a time, a thread each")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the sentences")
    parser.add_argument("--debug", action="store_true", help="flite and the built-in sentences")
    parser.add_argument("--import_dir", type=Path, help="corpus whose utterances are taken first")
    parser.add_argument("--downloads", type=Path, default=DOWNLOADS, help="of install_sources.sh")
    options = parser.parse_args()
    if options.hours <= 0 or options.jobs < 1:
        raise ConfigError(
            f"--hours {options.hours:g} --jobs {options.jobs}; expected hours above 0, jobs from 1"
        )
    return options


if __name__ == "__main__":
    run_recipe(main)
