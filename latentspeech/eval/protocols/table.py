"""The protocols by the names that `latentspeech testset` takes."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latentspeech.core.errors import ConfigError, InputError
from latentspeech.eval.protocols.librispeech import librispeech_4_10
from latentspeech.eval.protocols.librispeech_pc import librispeech_pc
from latentspeech.eval.protocols.libritts import libritts_test_other
from latentspeech.eval.protocols.seed_tts_eval import seed_tts_eval
from latentspeech.eval.protocols.testset import Options, ProtocolList


def _cuts(corpus: Path, options: Options) -> ProtocolList:
    # Imported here, since lhotse is a training dependency and the other protocols do not need it.
    from latentspeech.eval.protocols.cut_utterances import cuts_testset

    return cuts_testset(corpus, options)


@dataclass(frozen=True)
class Protocol:
    """A function that makes a test set; `corpus` is the default place of its corpus."""

    make: Callable[[Path, Options], ProtocolList]
    about: str
    corpus: Path | None = None


PROTOCOLS: dict[str, Protocol] = {
    "mini": Protocol(
        _cuts, "test voices of the mini corpus", Path("egs/mini/data/cuts_test.jsonl.gz")
    ),
    "cuts": Protocol(_cuts, "any lhotse cuts (--corpus cuts.jsonl.gz)"),
    "librispeech-4-10": Protocol(
        librispeech_4_10, "LibriSpeech test-clean, 4 to 10 s, rule of VALL-E 2 (--task)"
    ),
    "librispeech-pc": Protocol(librispeech_pc, "F5-TTS's LibriSpeech-PC list (--from)"),
    "seed-tts-eval": Protocol(seed_tts_eval, "seed-tts-eval's meta.lst"),
    "libritts-test-other": Protocol(
        libritts_test_other, "LibriTTS test-other, for codecs (--num, --seed)"
    ),
}


def make_testset(name: str, corpus: Path | None, options: Options) -> ProtocolList:
    """Makes the test set of a protocol; ConfigError for an unknown one."""
    protocol = PROTOCOLS.get(name)
    if protocol is None:
        near = difflib.get_close_matches(name, PROTOCOLS, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"unknown test set {name!r}; {hint}choose from {', '.join(PROTOCOLS)}")
    place = corpus or protocol.corpus
    if place is None:
        raise ConfigError(f"{name} needs the corpus; name its folder with --corpus")
    if not place.exists():
        raise InputError(f"{place} not found; give the place of the corpus with --corpus")
    return protocol.make(place, options)
