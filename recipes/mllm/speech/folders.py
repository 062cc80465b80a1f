"""Where the speech of pages lies, beside the folders of page_set.py.

PAGES/speech/SPLIT/NAME.wav   recordings, which pages name as SPLIT/NAME.wav
PAGES/SPLIT/spoken/0.jsonl    pages that hold text, pictures and speech
"""

from pathlib import Path

from latentspeech.audio.reading import AUDIO_SUFFIXES
from latentspeech.core.errors import DataError

SPEECH = "speech"
SPOKEN = "spoken"


def recordings(pages: Path) -> list[str]:
    """The names of all recordings of the pages, in order; DataError if there are none."""
    folder = pages / SPEECH
    names = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES
    ]
    if not names:
        raise DataError(
            f"{folder} holds no recordings; expected those that the pages in {SPOKEN}/ name: put "
            "them there, or have captions spoken by recipes.mllm.speech.speak_captions"
        )
    return sorted(names)
