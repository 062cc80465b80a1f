"""Writes the times of words to a file for other programs; the suffix gives the format.

.json has the words; .srt and .vtt are subtitles, where .vtt also has the time of each word within
its subtitle; .TextGrid is an interval tier of Praat, in which silence is an empty interval.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from latentspeech.core.errors import InputError
from latentspeech.core.storage.files import atomic_path, check_target
from latentspeech.tts.words.word_clock import WordTime

# Two lines of subtitles, as broadcasters have them.
_MOST_CHARACTERS = 84
_MOST_S = 7.0
_LONG_PAUSE_S = 0.8
_CLAUSE_ENDS = tuple(".?!;:,")
_SENTENCE_ENDS = tuple(".?!")


def check_word_file(path: Path) -> None:
    """Checks, before any work, that the times of words can be written to `path`.

    Raises:
        InputError: suffix, folder or rights do not allow it.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InputError(
            f"cannot write times of words to {path}: unknown suffix {path.suffix!r}; use one of "
            ".json, .srt, .vtt, .TextGrid"
        )
    check_target(path)


def write_words(path: Path, words: Sequence[WordTime], duration_s: float) -> None:
    """Writes the words of an audio of that length, in the format of the suffix."""
    content = _FORMATS[path.suffix.lower()](words, duration_s)
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _json(words: Sequence[WordTime], duration_s: float) -> str:
    rows = [
        {"text": word.text, "start_s": round(word.start_s, 3), "end_s": round(word.end_s, 3)}
        for word in words
    ]
    values = {"duration_s": round(duration_s, 3), "words": rows}
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def _srt(words: Sequence[WordTime], _: float) -> str:
    blocks = []
    for number, cue in enumerate(_cues(words), start=1):
        times = f"{_clock(cue[0].start_s, ',')} --> {_clock(cue[-1].end_s, ',')}"
        blocks.append(f"{number}\n{times}\n{' '.join(word.text for word in cue)}\n")
    return "\n".join(blocks)


def _vtt(words: Sequence[WordTime], _: float) -> str:
    blocks = ["WEBVTT\n"]
    for cue in _cues(words):
        times = f"{_clock(cue[0].start_s, '.')} --> {_clock(cue[-1].end_s, '.')}"
        first, *rest = (_escaped(word.text) for word in cue)
        timed = [
            f"<{_clock(word.start_s, '.')}>{text}" for word, text in zip(cue[1:], rest, strict=True)
        ]
        blocks.append(f"{times}\n{' '.join([first, *timed])}\n")
    return "\n".join(blocks)


def _text_grid(words: Sequence[WordTime], duration_s: float) -> str:
    intervals: list[tuple[float, float, str]] = []
    end = 0.0
    for word in words:
        if word.end_s <= max(end, word.start_s):  # Praat has no empty intervals
            continue
        if word.start_s > end:
            intervals.append((end, word.start_s, ""))
        intervals.append((max(end, word.start_s), word.end_s, word.text))
        end = word.end_s
    if duration_s > end:
        intervals.append((end, duration_s, ""))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0"]
    lines += [
        f"xmax = {duration_s:.6f}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
    ]
    lines += ['        class = "IntervalTier"', '        name = "words"', "        xmin = 0"]
    lines += [f"        xmax = {duration_s:.6f}", f"        intervals: size = {len(intervals)}"]
    for number, (start, stop, text) in enumerate(intervals, start=1):
        doubled = text.replace('"', '""')
        lines += [f"        intervals [{number}]:", f"            xmin = {start:.6f}"]
        lines += [f"            xmax = {stop:.6f}", f'            text = "{doubled}"']
    return "\n".join(lines) + "\n"


_FORMATS: dict[str, Callable[[Sequence[WordTime], float], str]] = {
    ".json": _json,
    ".srt": _srt,
    ".vtt": _vtt,
    ".textgrid": _text_grid,
}


def _cues(words: Sequence[WordTime]) -> list[list[WordTime]]:
    """Divides words into subtitles, which end with sentences and pauses, and are not too long."""
    cues: list[list[WordTime]] = []
    for word in words:
        if cues and _fits(cues[-1], word):
            cues[-1].append(word)
        else:
            cues.append([word])
    return cues


def _fits(cue: list[WordTime], word: WordTime) -> bool:
    last = cue[-1]
    length = sum(len(one.text) + 1 for one in cue)
    if last.text.rstrip("\"'\u201d\u2019)").endswith(_SENTENCE_ENDS):
        return False
    if word.start_s - last.end_s > _LONG_PAUSE_S:
        return False
    if length > _MOST_CHARACTERS * 0.6 and last.text.endswith(_CLAUSE_ENDS):
        return False
    too_long = length + len(word.text) > _MOST_CHARACTERS
    return not too_long and word.end_s - cue[0].start_s <= _MOST_S


def _clock(seconds: float, point: str) -> str:
    whole_ms = round(seconds * 1000)
    minutes, ms = divmod(whole_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{ms // 1000:02d}{point}{ms % 1000:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
