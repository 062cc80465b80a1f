"""Makes the mini corpus: speech of voices and recordings that packages ship, 24 kHz FLAC.

    python egs/mini/local/make_corpus.py --out egs/mini/data/full/corpus --hours 2.5 --jobs 2
    python egs/mini/local/make_corpus.py --out egs/mini/data/debug/corpus --hours 0.1 --debug

Stop it at any time; the same command goes on. The sources' turn comes in the order of their cost.
"""

import argparse
import logging
from pathlib import Path

from corpus_plan import share
from corpus_summary import write_summary
from corpus_writer import CorpusWriter
from import_corpus import import_corpus
from sources.opening import DEBUG_SOURCES, SOURCE_NAMES, open_source, parse_source_names
from sources.protocol import Synthesizer
from speaking import add_recordings, add_speech
from texts import built_in_sentences, installed_sentences, shuffled

from latentspeech.core.errors import ConfigError
from recipes.one_line_errors import run_recipe

logger = logging.getLogger(__name__)


def main() -> None:
    """Imports, then lets each source speak until the hours are there."""
    options = parse_arguments()
    names = parse_source_names(
        options.sources or ",".join(DEBUG_SOURCES if options.debug else SOURCE_NAMES)
    )
    with CorpusWriter(options.out) as writer:
        if options.import_dir is not None:
            import_corpus(options.import_dir, writer, options.hours)
            write_summary(writer)
        for name in names:
            if writer.hours < options.hours:
                add_source(name, writer, names, options)
                write_summary(writer)
        # Also where nothing was to be done: a killed run left the summary behind the manifest.
        write_summary(writer)
        logger.info("%.2f hours in %d voices: %s", writer.hours, len(writer.seconds), options.out)
        if writer.hours < options.hours:
            logger.warning(
                "that is less than --hours %g: %s said all they may; add to --sources (known: %s)",
                options.hours,
                ", ".join(names),
                ", ".join(SOURCE_NAMES),
            )


def add_source(
    name: str, writer: CorpusWriter, names: list[str], options: argparse.Namespace
) -> None:
    """Opens one source and takes from it what is missing."""
    source = open_source(name, options.downloads)
    if not isinstance(source, Synthesizer):
        add_recordings(name, source, writer, options.hours)
        return
    if options.debug:
        # Few sentences: shared among the sources in use only.
        sentences = share(shuffled(built_in_sentences(), options.seed), name, names)
    else:
        everything = shuffled(installed_sentences(options.downloads), options.seed)
        sentences = share(everything, name, SOURCE_NAMES)
    add_speech(name, source, sentences, writer, options.hours, options.jobs)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    here = Path(__file__).resolve().parent
    parser.add_argument("--out", type=Path, required=True, help="corpus folder to make or continue")
    parser.add_argument("--hours", type=float, default=2.5, help="hours of speech in the end")
    parser.add_argument("--sources", default="", help=f"of {','.join(SOURCE_NAMES)} (default all)")
    parser.add_argument("--jobs", type=int, default=1, help="sentences at a time, a thread each")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the sentences")
    parser.add_argument("--debug", action="store_true", help="flite and the built-in sentences")
    parser.add_argument("--import_dir", type=Path, help="corpus whose utterances are taken first")
    parser.add_argument(
        "--downloads", type=Path, default=here.parent / "downloads", help="of install_sources.sh"
    )
    options = parser.parse_args()
    if options.hours <= 0 or options.jobs < 1:
        raise ConfigError(
            f"--hours {options.hours:g} --jobs {options.jobs}; expected hours above 0, jobs from 1"
        )
    return options


if __name__ == "__main__":
    run_recipe(main)
