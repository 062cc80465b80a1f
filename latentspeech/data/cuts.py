"""lhotse cuts of a corpus: one cut per utterance, one supervision with speaker and text.

Where the times of the words are known, they are the supervision's alignment `word`, whose symbols
are numbers.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import soundfile
from lhotse import AudioSource, CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.supervision import AlignmentItem

from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import atomic_path
from latentspeech.data.manifest import CorpusUtterance


def cuts_from_manifest(utterances: Iterable[CorpusUtterance], root: Path) -> CutSet:
    """A cut for each utterance of the corpus folder `root`, with the length its audio file has.

    The cuts name the audio by absolute path, so they can lie anywhere; the corpus cannot move.
    """
    return CutSet.from_cuts([_cut(utterance, root.resolve()) for utterance in utterances])


def read_cuts(path: Path) -> CutSet:
    """Opens a cuts file, lazily; DataError when it is missing."""
    if not path.is_file():
        raise DataError(f"cuts not found: {path}; run the corpus stage of the recipe first")
    return CutSet.from_jsonl_lazy(path)


def write_cuts(cuts: CutSet, path: Path) -> None:
    """Writes .jsonl.gz whole or not at all."""
    with atomic_path(path) as temporary:
        cuts.to_file(temporary)


def _cut(utterance: CorpusUtterance, root: Path) -> MonoCut:
    path = root / utterance.audio
    try:
        header = soundfile.info(path)
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(
            f"utterance {utterance.id}: {path} cannot be read ({error}); expected an audio file: "
            "make it again or remove its line from the manifest"
        ) from None
    duration_s = header.frames / header.samplerate
    recording = Recording(
        id=utterance.id,
        sources=[AudioSource(type="file", channels=[0], source=str(path))],
        sampling_rate=header.samplerate,
        num_samples=header.frames,
        duration=duration_s,
    )
    spoken = SupervisionSegment(
        id=utterance.id,
        recording_id=utterance.id,
        start=0.0,
        duration=duration_s,
        channel=0,
        text=utterance.text,
        speaker=utterance.speaker,
        custom={"source": utterance.source, "licence": utterance.licence},
        alignment=_alignment(utterance.symbol_ends_s),
    )
    return MonoCut(
        id=utterance.id,
        start=0.0,
        duration=duration_s,
        channel=0,
        recording=recording,
        supervisions=[spoken],
    )


def _alignment(symbol_ends_s: tuple[float, ...]) -> dict[str, list[AlignmentItem]] | None:
    if not symbol_ends_s:
        return None
    spans = pairwise((0.0, *symbol_ends_s))
    return {
        "word": [
            AlignmentItem(str(number), start, end - start)
            for number, (start, end) in enumerate(spans)
        ]
    }
