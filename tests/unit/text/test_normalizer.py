"""The normaliser: a table of readings, and what must hold for any string at all."""

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from latentspeech.text.normalizer import NormalizedText, normalize
from latentspeech.text.normalizer.punctuation import KEPT_PUNCTUATION

TABLE = Path(__file__).with_name("written_and_spoken.tsv")
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}


def read_table() -> list[tuple[str, str]]:
    """The pairs of written and spoken forms in the order of the file."""
    pairs = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if "\t" in line:
            written, spoken, *_ = line.split("\t")
            pairs.append((unescape(written), unescape(spoken)))
        else:
            assert not line or line.startswith("#"), f"{line!r} has no tab"
    return pairs


def unescape(text: str) -> str:
    for escape, character in _ESCAPES.items():
        text = text.replace(escape, character)
    return text


READINGS = read_table()


def test_the_table_has_no_form_twice() -> None:
    written = [pair[0] for pair in READINGS]
    assert len(written) >= 400
    assert len(set(written)) == len(written)


@pytest.mark.parametrize(("written", "spoken"), READINGS)
def test_reading(written: str, spoken: str) -> None:
    assert normalize(written) == spoken


@pytest.mark.parametrize(("written", "spoken"), READINGS)
def test_a_reading_is_its_own_normal_form(written: str, spoken: str) -> None:
    assert normalize(spoken) == spoken


def test_a_text_is_normalised_once() -> None:
    spoken = normalize("Dr. Smith paid $5.")
    assert isinstance(spoken, NormalizedText)
    assert normalize(spoken) is spoken
    assert not isinstance(spoken[:3], NormalizedText)


def check_output(text: str) -> None:
    result = normalize(text)
    assert normalize(result) == result
    assert not any(unicodedata.category(c)[0] == "N" or c.isdigit() for c in result)
    assert all(c.isalpha() or c == " " or c in KEPT_PUNCTUATION for c in result)
    assert result == " ".join(result.split())


@given(st.text(max_size=60))
@example("\ud800 lone surrogate 5")
@example("1" * 400)
@example("I.I.I.")
@settings(max_examples=400, deadline=None)
def test_any_string_gives_stable_clean_text(text: str) -> None:
    check_output(text)


PIECES = [written for written, _ in READINGS] + [
    *"0123456789.,:;/-'\"$%@#&()^IVXACSabcm ",
    " ",
    " ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
@settings(max_examples=600, deadline=None)
def test_any_mixture_of_written_forms_gives_stable_clean_text(pieces: list[str]) -> None:
    check_output("".join(pieces))


REPEATED = """1|1 |a|$1,|1-|1/2 |A.|a@|a.|(|-|- |1:2|St. |I |'|!|?!|ABC |http://|+1 |\u00bd|5,|A1|\
;|,|1.5 km |- 1|.|^2|1^|CD |e.| |Mr. Smith paid $3.50 on 5/3/2024 at 3:45 pm. |\n\n|<|>|*|\
--|[a](|`a|\
<a b="|<script>|_a|&a|/a|a.b|A\n|- a\n|1. |5 m/s^2 |2024-|$5 |5'9|\
$1bn-|3%-|1h3m|page 1/3|1.000|2024-May |II |A$|a <= |**"""


@pytest.mark.parametrize("unit", REPEATED.split("|"))
def test_ten_kilobytes_take_well_under_a_second(unit: str) -> None:
    text = (unit * 10_000)[:10_000]
    start = time.process_time()
    normalize(text)
    assert time.process_time() - start < 2.0  # of the processor; about 0.1 s


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["1", ".", "<", "*", "1.", "<*"])
def test_the_cost_is_linear_in_the_length(unit: str) -> None:
    """Ten times the text takes some ten times as long; a hundred times would be quadratic."""
    seconds = []
    for length in (4_000, 40_000):
        start = time.process_time()
        normalize((unit * length)[:length])
        seconds.append(time.process_time() - start)
    assert seconds[1] < 40 * seconds[0] + 1.0
