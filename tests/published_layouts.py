"""Small corpora in the layouts of LibriSpeech, LibriTTS and seed-tts-eval, quirks included."""

import shutil
from pathlib import Path

from latentspeech.audio.io import write_audio
from tests.tiny_models import voice_like

# id: (seconds, text). Sorted as text, chapter 157963 of speaker 908 comes before 31957.
SPEECH = {
    "61-70968-0000": (3.99, "HE BEGAN A CONFUSED COMPLAINT"),
    "61-70968-0001": (4.0, "GIVE NOT SO EARNEST A MIND"),
    "61-70968-0002": (7.25, "A GOLDEN FORTUNE AND A HAPPY LIFE"),
    "61-70970-0000": (10.0, "YOUNG FITZOOTH HAD BEEN COMMANDED TO HIS CHAMBER"),
    "61-70970-0001": (10.01, "THERE BEFELL AN ANXIOUS INTERVIEW"),
    "908-31957-0000": (5.0, "ALL IS SAID WITHOUT A WORD"),
    "908-157963-0000": (6.0, "TO FADE AWAY LIKE MORNING BEAUTY"),
    "121-121726-0000": (4.5, "ALSO A POPULAR CONTRIVANCE"),  # the only one of its speaker
    "237-126133-0000": (2.0, "SHORT"),
}
_SPEAKERS = """; Some pipe(|) separated metadata about all Librispeech speakers
;ID  |SEX| SUBSET           |MINUTES| NAME
61   | M | test-clean       | 8.02  | Paul-Gabriel Wiener
121  | F | test-clean       | 8.12  | Nikolle Doolin
237  | F | test-clean       | 8.20  | rachelellen
908  | M | test-clean       | 8.06  | Sam | Stinson
"""


def librispeech(folder: Path) -> Path:
    """Writes LibriSpeech/ with test-clean; returns the folder."""
    corpus = folder / "LibriSpeech"
    for identifier, (seconds, text) in SPEECH.items():
        speaker, chapter, _ = identifier.split("-")
        place = corpus / "test-clean" / speaker / chapter
        place.mkdir(parents=True, exist_ok=True)
        write_audio(place / f"{identifier}.flac", voice_like(seconds, 16000), 16000)
        with (place / f"{speaker}-{chapter}.trans.txt").open("a") as file:
            file.write(f"{identifier} {text}\n")
    (corpus / "SPEAKERS.TXT").write_text(_SPEAKERS)
    return corpus


def speech_path(corpus: Path, identifier: str) -> Path:
    """The path of an utterance in LibriSpeech."""
    speaker, chapter, _ = identifier.split("-")
    return corpus / "test-clean" / speaker / chapter / f"{identifier}.flac"


def librispeech_pc_list(folder: Path) -> Path:
    """Writes rows as F5-TTS publishes them: whole seconds without a point, odd quotation marks."""
    rows = [
        ("61-70968-0000", "3.99", 'He began "!', "61-70970-0000", "10", "Young Fitzooth's, sir!"),
        ("908-31957-0000", "5", "All? Said.", "908-157963-0000", "6.000063", "To fade away -"),
        ("61-70968-0000", "3.99", 'He began "!', "61-70968-0002", "7.25", 'A golden " fortune'),
    ]
    path = folder / "librispeech_pc_test_clean_cross_sentence.lst"
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return path


def libritts(folder: Path) -> Path:
    """Writes LibriTTS/ with test-other: one file without a text, one that only a table names."""
    corpus = folder / "LibriTTS"
    for chapter in ("142285", "142286"):
        place = corpus / "test-other" / "1688" / chapter
        place.mkdir(parents=True)
        names = [f"1688_{chapter}_{paragraph:06d}_000000" for paragraph in range(4)]
        for number, name in enumerate(names):
            write_audio(place / f"{name}.wav", voice_like(1.0 + number / 2), 24000)
            (place / f"{name}.original.txt").write_text("Mr. B paid $2.")
            (place / f"{name}.normalized.txt").write_text("Mister B paid two dollars.")
        rows = [f"{name}\tMr. B paid $2.\tMister B paid two dollars.\n" for name in names]
        (place / f"1688_{chapter}.trans.tsv").write_text("".join(rows))
        (place / f"1688_{chapter}.book.tsv").write_text("1688_x\tdropped\t0\n")
    (place / f"{names[0]}.normalized.txt").unlink()
    (place / f"{names[3]}.wav").unlink()
    (corpus / "speakers.tsv").write_text("READER\tGENDER\tSUBSET\tNAME\n1688\tF\ttest-other\tA B\n")
    return corpus


def seed_tts(folder: Path) -> Path:
    """Writes seedtts_testset/en: rows of four columns, of five, and an id with its suffix."""
    corpus = folder / "en"
    for name in ("prompt-wavs", "wavs", "others"):
        (corpus / name).mkdir(parents=True)
    write_audio(corpus / "prompt-wavs/p1.wav", voice_like(3.0), 24000)
    write_audio(corpus / "wavs/p1-u1.wav", voice_like(4.0), 24000)
    shutil.copy(corpus / "wavs/p1-u1.wav", corpus / "others/u2.wav")
    (corpus / "meta.lst").write_text(
        "p1-u1|What was said.|prompt-wavs/p1.wav|Get the trust fund to the bank early.\n"
        "p1-u2.wav|What was said.|prompt-wavs/p1.wav|Another text.|others/u2.wav\n"
        "p1-u3|What was said.|prompt-wavs/p1.wav|Nobody recorded this.\n"
        "p9-u4|What?|prompt-wavs/p9.wav|Its prompt is lost.\n\n"
    )
    return corpus
