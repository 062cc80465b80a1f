"""What each source may be used for, and why: weights that are shipped must be free to ship.

A source is trained on (`train`) if its terms allow modified copies with no more than a notice. It
is held out (`test`) if its terms ask for the same licence on derived works (nobody has settled
whether weights are derived from recordings), or if they could not be checked. If you train for
yourself alone, `prepare_cuts.py --all_licences` trains on all. The speakers of test_speakers.txt
are held out too.
"""

from pathlib import Path
from typing import Literal, NamedTuple

Use = Literal["train", "test"]
VoiceKind = Literal["human", "synthetic", "none"]


class SourceTerms(NamedTuple):
    """A source's use, who is heard, and the reason for the use."""

    use: Use
    voice: VoiceKind
    reason: str


# In the order in which they are asked: the cheapest first, copies after what they copy.
SOURCE_TERMS: dict[str, SourceTerms] = {
    "asterisk": SourceTerms("test", "human", "CC-BY-SA-3.0: share alike"),
    "pocketsphinx": SourceTerms("test", "human", "BSD and public domain, but all too little"),
    "hedgewars": SourceTerms("test", "human", "GFDL-1.3: copyleft"),
    "queen": SourceTerms("train", "human", "own licence, free with notice (DFSG-free)"),
    "sky": SourceTerms("train", "human", "own licence, free with notice (DFSG-free)"),
    "drascula": SourceTerms("train", "human", "own licence, free with notice (DFSG-free)"),
    "warzone": SourceTerms("test", "human", "GPL-2+: copyleft"),
    "tuxpaint": SourceTerms("test", "human", "GPL-2: copyleft"),
    "drascula_music": SourceTerms("train", "none", "own licence, free with notice (DFSG-free)"),
    "sonic_pi": SourceTerms("train", "none", "CC0-1.0"),
    "freedoom": SourceTerms("train", "none", "BSD-3-Clause"),
    "made_noise": SourceTerms("train", "none", "made by this recipe"),
    "asterisk_music": SourceTerms("test", "none", "CC-BY-SA-3.0: share alike"),
    "warzone_music": SourceTerms("test", "none", "GPL-2+: copyleft"),
    "flite": SourceTerms("train", "synthetic", "BSD-like"),
    "festival": SourceTerms("train", "synthetic", "BSD-like"),
    "piper": SourceTerms("test", "synthetic", "CC0 by its card, but its parent's terms unchecked"),
    "kokoro": SourceTerms("train", "synthetic", "Apache-2.0"),
    "world": SourceTerms("train", "synthetic", "as what it copies: kokoro, Apache-2.0"),
    "kokoro_speed": SourceTerms("train", "synthetic", "as what it copies: kokoro, Apache-2.0"),
    "queen_speed": SourceTerms("train", "human", "as what it copies: queen, free with notice"),
}
# Lines that corpus/importing.py wrote without knowing their source.
IMPORTED = SourceTerms("train", "synthetic", "whoever imports a corpus answers for its terms")
# Names of speakers under which several people speak: no voice to learn for text-to-speech.
SEVERAL_PEOPLE = ("queen_scene_", "queen_effects")
_TEST_SPEAKERS = Path(__file__).parent / "test_speakers.txt"


def held_out_speakers() -> frozenset[str]:
    """Names of the speakers that no training may hear, whatever their source."""
    return frozenset(_TEST_SPEAKERS.read_text(encoding="utf-8").split())
