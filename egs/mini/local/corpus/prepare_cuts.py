"""Cuts of the mini corpus, for the codec and for text-to-speech, and speakers.json.

    python -m egs.mini.local.corpus.prepare_cuts --corpus CORPUS --out FOLDER

cuts_codec_{train,dev,test}.jsonl.gz: all speech, with text or without; train also has the music,
    noises and effects that may be trained on. cuts_codec_test_{human,synthetic,other} are the parts
    of the test; `other` is not speech.
    --codec_shares keeps only a share of a source's training cuts, those with the smallest hash, so
    that a codec does not train mostly on long narrow-band recordings.
cuts_{train,dev,test}.jsonl.gz: the speech that has a text, is of one person and was recorded at
    16 kHz or more. A text of the test is in neither train nor dev, whoever says it.
    --align finds when each phoneme is heard in train and dev where the corpus does not know it, and
    leaves out recordings that do not say their text. --max_wer leaves out utterances that Whisper
    misread (choose/listen.py), --max_likeness copies that are too like their original
    (choose/compare_voices.py), both in train and dev.

The test set has the sources that weights to be shipped may not be trained on (sources/terms.py;
--all_licences trains on them too) and the speakers of sources/test_speakers.txt, so that they stay
unheard when the corpus grows. A corpus without any of these speakers gives a fraction of its own.
Each cut says in its supervision: source, licence, kind, kind_of_voice (human, synthetic, none)
and native_rate_hz.
"""

import argparse
import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from lhotse import CutSet

from egs.mini.local.choose.tts_utterances import choose
from egs.mini.local.corpus.items import Item, read_items
from egs.mini.local.sources.terms import SOURCE_TERMS, held_out_speakers
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.storage.files import write_json
from latentspeech.data.cuts import cuts_from_manifest, write_cuts
from latentspeech.data.manifest import CorpusUtterance, split_by_speaker

logger = logging.getLogger(__name__)

_SPLITS = ("train", "dev", "test")
_PARTS = (
    *_SPLITS,
    *(f"codec_{name}" for name in _SPLITS),
    *(f"codec_test_{name}" for name in ("human", "synthetic", "other")),
)


def main() -> None:
    """Reads, filters, splits and writes."""
    options = parse_arguments()
    options.codec_shares = parse_shares(options.codec_shares)
    everything = read_items(options.corpus)
    kept = [
        item for item in everything if options.min_s <= item.utterance.duration_s <= options.max_s
    ]
    if not kept:
        raise DataError(
            f"none of the {len(everything)} utterances of {options.corpus} lasts "
            f"{options.min_s:g} to {options.max_s:g} s; change --min_s and --max_s"
        )
    parts = split(kept, options)
    speech = {name: parts.get(f"codec_{name}", []) for name in _SPLITS}
    for name, spoken in choose(speech, options).items():
        if spoken:
            parts[name] = spoken
        else:
            logger.warning("nothing for cuts_%s: no speech with text in it", name)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in _PARTS:
        path = options.out / f"cuts_{name}.jsonl.gz"
        if name in parts:
            write_part(parts[name], options.corpus, path)
        else:
            path.unlink(missing_ok=True)  # of an earlier run, with other options
    write_json(
        options.out / "speakers.json",
        {name: seconds_by_speaker(items) for name, items in parts.items()},
    )
    if len(kept) < len(everything):
        logger.info(
            "%d utterances shorter than %g s or longer than %g s were left out",
            len(everything) - len(kept),
            options.min_s,
            options.max_s,
        )


def split(items: Sequence[Item], options: argparse.Namespace) -> dict[str, list[Item]]:
    """The parts of the codec's data, by the name that follows cuts_."""
    by_id = {item.utterance.id: item for item in items}
    held_out = [] if options.all_licences else [item for item in items if item.terms.use == "test"]
    held_out_ids = {item.utterance.id for item in held_out}
    usable = [item for item in items if item.utterance.id not in held_out_ids]
    speech = [item.utterance for item in usable if item.kind == "speech"]
    parts = split_by_speaker(
        speech,
        choose_test_speakers(options.test_speakers, speech, options.test_fraction),
        options.dev_fraction,
        options.seed,
    )
    test = [by_id[item.id] for item in parts.test]
    test += [item for item in held_out if item.kind == "speech"]
    other = [item for item in held_out if item.kind != "speech"]
    train = [by_id[item.id] for item in parts.train]
    train += [item for item in usable if item.kind != "speech"]
    named = {
        "codec_train": [
            item for item in train if is_in_share(item.utterance, options.codec_shares)
        ],
        "codec_dev": [by_id[item.id] for item in parts.dev],
        "codec_test": test,
        "codec_test_human": [item for item in test if item.terms.voice == "human"],
        "codec_test_synthetic": [item for item in test if item.terms.voice == "synthetic"],
        "codec_test_other": other,
    }
    return {name: chosen for name, chosen in named.items() if chosen}


def parse_shares(text: str) -> dict[str, float]:
    """`queen=0.2,sky=0.5` -> {"queen": 0.2, "sky": 0.5}."""
    shares = {}
    for pair in filter(None, text.split(",")):
        name, _, share = pair.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError:
            raise ConfigError(
                f"--codec_shares has '{pair}'; expected a source and its share, say queen=0.2"
            ) from None
    unknown = sorted(shares.keys() - SOURCE_TERMS.keys() - {"imported"})
    if unknown:
        raise ConfigError(f"--codec_shares names the unknown source {', '.join(unknown)}")
    return shares


def is_in_share(utterance: CorpusUtterance, shares: dict[str, float]) -> bool:
    """Whether an utterance is in the kept share of its source, however the corpus grows."""
    digest = hashlib.blake2b(utterance.id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < shares.get(utterance.source, 1.0)


def choose_test_speakers(
    asked: str, utterances: Sequence[CorpusUtterance], fraction: float
) -> list[str] | float:
    """The names asked for, or the held-out speakers that are in the corpus, or the fraction."""
    if asked:
        return [name.strip() for name in asked.split(",") if name.strip()]
    there = {item.speaker for item in utterances}
    return sorted(held_out_speakers() & there) or fraction


def write_part(items: Sequence[Item], corpus: Path, path: Path) -> None:
    """Writes the cuts of one part."""
    cuts = []
    for cut, item in zip(cuts_from_manifest(utterances_of(items), corpus), items, strict=True):
        cut.supervisions[0].custom |= {
            "kind": item.kind,
            "kind_of_voice": item.terms.voice,
            "native_rate_hz": item.native_rate_hz,
        }
        cuts.append(cut)
    write_cuts(CutSet.from_cuts(cuts), path)
    seconds = seconds_by_speaker(items)
    logger.info(
        "%s: %d utterances, %.2f hours, %d speakers",
        path.name.removesuffix(".jsonl.gz"),
        len(items),
        sum(seconds.values()) / 3600,
        len(seconds),
    )


def utterances_of(items: Iterable[Item]) -> list[CorpusUtterance]:
    """Only what the manifest's reader knows."""
    return [item.utterance for item in items]


def seconds_by_speaker(items: Iterable[Item]) -> dict[str, float]:
    """Seconds of each speaker, by name."""
    seconds: dict[str, float] = defaultdict(float)
    for item in utterances_of(items):
        seconds[item.speaker] += item.duration_s
    return {name: round(seconds[name], 3) for name in sorted(seconds)}


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with manifest.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="folder for the cuts")
    parser.add_argument("--test_speakers", default="", help="names with commas between them")
    parser.add_argument("--test_fraction", type=float, default=0.1, help="of the speakers")
    parser.add_argument("--dev_fraction", type=float, default=0.03, help="of the other utterances")
    parser.add_argument("--min_s", type=float, default=1.0, help="shortest utterance, seconds")
    parser.add_argument("--max_s", type=float, default=20.0, help="longest utterance, seconds")
    parser.add_argument(
        "--min_rate_hz", type=int, default=16000, help="of TTS's test: rate it was recorded at"
    )
    parser.add_argument(
        "--min_train_rate_hz", type=int, default=16000, help="the same of TTS's train and dev"
    )
    parser.add_argument(
        "--max_wer", type=float, help="for TTS: share of words heard wrong, after listen.py"
    )
    parser.add_argument(
        "--max_likeness", type=float, help="of copied voices, a cosine, after compare_voices.py"
    )
    parser.add_argument(
        "--align", action="store_true", help="find times of phonemes for the layout aligned"
    )
    parser.add_argument(
        "--codec_shares", default="", help="share of a source's codec training cuts: queen=0.2,..."
    )
    parser.add_argument(
        "--all_licences",
        action="store_true",
        help="train on share-alike and unchecked sources too: weights for yourself only",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    return parser.parse_args()


if __name__ == "__main__":
    run_recipe(main)
