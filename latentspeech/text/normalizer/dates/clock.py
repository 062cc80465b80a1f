"""Reads times of day, on 12- and 24-hour clocks, and other numbers with a colon (ratios)."""

import re

from latentspeech.text.normalizer.numbers.number_words import cardinal

_HALF = r"\s?([aApP])(?:\.\s?[mM]\.?|[mM])(?![A-Za-z0-9])"
_CLOCK_RANGE = re.compile(r"(?<=[\dmM])\.?\s?-\s?(?=\d{1,2}(?::\d\d(?!\d)|\s?[ap]\.?m\b))")
_CLOCK = re.compile(
    rf"(?<![\d:.,])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:]|\.\d)(?:{_HALF})?"
)
_HOUR = re.compile(rf"(?<=\d){_HALF}")
_NAMED_RATIO = re.compile(
    r"(?<![\d:.,])(\d{1,4}):(?=\d{1,4}\s(?:scale|ratio|odds|mix|mixture|aspect|model|dilution|screen)\b)"
    r"|(?<=ratio of )(\d{1,4}):(?=\d)|(?<=scale of )(\d{1,4}):(?=\d)|(?<=odds of )(\d{1,4}):(?=\d)"
)
_HOURS_AND_MINUTES = re.compile(r"(?<![\w.,:])(\d{1,3})\s?h\s?(\d{1,2})\s?(?:m|min)(?![\w/^])")
_MINUTES_AND_SECONDS = re.compile(r"(?<![\w.,:])(\d{1,3})\s?m\s?(\d{1,2})\s?s(?![\w/^])")
_CLOCK_WITH_H = re.compile(r"(?<![\w.,:])([01]?\d|2[0-3])h([0-5]\d)(?!\w)")
_NOON = re.compile(
    r"(?<=[\dmM.])\s?-\s?(?=(?:noon|midnight)\b)|(?:(?<=\bnoon)|(?<=\bmidnight))\s?-\s?(?=\d)"
)
_VERSE = re.compile(r"(?<![\d:.,])(\d{1,3}):(\d)-(?=\d{1,3}(?![\d:]|\s?[apAP]\.?[mM]))")
_SHORT_HALF = re.compile(r"(?<=:[0-5]\d)([ap])(?!\w)")
_RACE_TIME = re.compile(r"(?<![\d:.,])(\d{1,2}):([0-5]\d)(\.\d{1,3})(?![\d:]|\.\d)")
_RATIO = re.compile(r"(?<=\d)\s?:\s?(?=\d)")


def read_times(text: str) -> str:
    """'3:45 pm' -> 'three forty-five P M', '15:30' -> 'fifteen thirty', '16:9' -> '16 to 9'."""
    text = _HOURS_AND_MINUTES.sub(r"\1 hr \2 min", text)
    text = _MINUTES_AND_SECONDS.sub(r"\1 min \2 sec", text)
    text = _SHORT_HALF.sub(r"\1m", _CLOCK_WITH_H.sub(r"\1:\2", text))
    text = _VERSE.sub(r"\1 \2 to ", _NOON.sub(" to ", text))
    text = _NAMED_RATIO.sub(lambda m: f"{m[1] or m[2] or m[3] or m[4]} to ", text)
    text = _RACE_TIME.sub(_read_race_time, text)
    text = _CLOCK_RANGE.sub(" to ", text)
    text = _CLOCK.sub(_read_clock, text)
    text = _HOUR.sub(_read_half, text)
    return _RATIO.sub(" to ", text)


def _read_clock(match: re.Match[str]) -> str:
    hour, minute, second, half = match[1], match[2], match[3], match[4]
    words = cardinal(str(int(hour)))
    if minute != "00":
        words += f" oh {cardinal(minute[1])}" if minute[0] == "0" else f" {cardinal(minute)}"
    elif not half and not (second and second != "00"):
        words += " o'clock" if 1 <= int(hour) <= 12 else " hundred"
    if second and second != "00":
        words += f" and {cardinal(str(int(second)))} seconds"
    return words + (_read_half(match, half) if half else "")


def _read_race_time(match: re.Match[str]) -> str:
    """'1:59.40' -> 'one 59.40', which is read 'one fifty-nine point four zero'."""
    second = f"oh {match[2][1]}" if match[2][0] == "0" else match[2]
    return f"{cardinal(str(int(match[1])))} {second}{match[3]}"


def _read_half(match: re.Match[str], half: str | None = None) -> str:
    """' P M'; the dot of 'p.m.' stays where it also ends the sentence."""
    rest = match.string[match.end() :][:3].lstrip("'\") ")
    ends = match[0].endswith(".") and (not rest or rest[0].isupper())
    return f" {(half or match[1]).upper()} M" + ("." if ends else "")
