"""The normaliser: a table of readings, and what must hold for any string at all."""

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from latentspeech.text.normalizer import NormalizedText, normalize
from latentspeech.text.normalizer.punctuation import KEPT_PUNCTUATION

READINGS = [
    # cardinals, decimals, signs
    ("I have 5 cats.", "I have five cats."),
    (
        "1,234,567 people",
        "one million two hundred thirty-four thousand five hundred sixty-seven people",
    ),
    ("It is -5 outside", "It is minus five outside"),
    ("3.14 and .5", "three point one four and point five"),
    ("1,000.25 tons", "one thousand point two five tons"),
    ("0 or 007", "zero or zero zero seven"),
    ("2,000,000,000,000,000,000 atoms", "two quintillion atoms"),
    ("105 apples", "one hundred five apples"),
    ("H2O and B2B", "H two O and B two B"),
    ("COVID-19, F-16", "COVID-nineteen, F-sixteen"),
    ("a 10-year-old", "a ten-year-old"),
    ("version 1.2.3 is out", "version one point two point three is out"),
    # ordinals, years, decades
    ("the 21st and 2nd", "the twenty-first and second"),
    ("the 1\u02e2\u1d57 of 103rd", "the first of one hundred third"),
    ("in 1999 and 1905", "in nineteen ninety-nine and nineteen oh-five"),
    ("in 2024.", "in twenty twenty-four."),
    ("in 2005", "in two thousand five"),
    ("2048 items", "two thousand forty-eight items"),
    ("1999 was good", "nineteen ninety-nine was good"),
    ("100s of 5s and 20s", "one hundreds of five seconds and twenties"),
    ("the 1990s and '80s", "the nineteen nineties and eighties"),
    # ranges, fractions, percent
    ("pages 10-20", "pages ten to twenty"),
    ("1990\u20131995", "nineteen ninety to nineteen ninety-five"),
    ("1/2 cup", "one half cup"),
    ("3/4 or 2/3", "three quarters or two thirds"),
    ("2 1/2 cups", "two and a half cups"),
    ("2\u00bd cups", "two and a half cups"),
    ("\u00be full", "three quarters full"),
    ("7/35", "seven over thirty-five"),
    ("open 24/7", "open twenty-four seven"),
    ("5% to 12.5 %", "five percent to twelve point five percent"),
    ("5-10%", "five to ten percent"),
    ("5 - 3 = 2", "five minus three equals two"),
    ("3 x 4 = 12", "three times four equals twelve"),
    ("10\u2076", "ten to the power of six"),
    # money
    ("It costs $3.50.", "It costs three dollars and fifty cents."),
    ("$1 and $1.01", "one dollar and one dollar and one cent"),
    ("\u00a35.99", "five pounds and ninety-nine pence"),
    ("\u20ac20", "twenty euros"),
    ("$2 million", "two million dollars"),
    ("$2.5bn", "two point five billion dollars"),
    ("$0.99", "ninety-nine cents"),
    ("$1,200,000", "one million two hundred thousand dollars"),
    ("$5-10", "five to ten dollars"),
    ("100 USD or 5 \u20ac", "one hundred dollars or five euros"),
    ("-$5", "minus five dollars"),
    ("50\u00a2", "fifty cents"),
    # dates
    ("2024-03-05", "March fifth, twenty twenty-four"),
    ("on March 5, 2024, we", "on March fifth, twenty twenty-four, we"),
    ("5/3/2024", "May third, twenty twenty-four"),
    ("25/12/1999", "December twenty-fifth, nineteen ninety-nine"),
    ("Jan. 1st", "January first"),
    ("5 March 2024", "the fifth of March, twenty twenty-four"),
    ("March 5-7", "March fifth to seventh"),
    ("In March 2024", "In March twenty twenty-four"),
    ("Mon., Dec. 3", "Monday, December third"),
    # times
    ("at 3:45 pm", "at three forty-five P M"),
    ("at 15:30", "at fifteen thirty"),
    ("at 3:00 a.m. we", "at three A M we"),
    ("at 8 p.m. They left at 9 p.m.", "at eight P M. They left at nine P M."),
    ("at 3:05, 4:00", "at three oh five, four o'clock"),
    ("9:00-17:30", "nine o'clock to seventeen thirty"),
    ("3-5 pm", "three to five P M"),
    ("a 16:9 screen", "a sixteen to nine screen"),
    # abbreviations
    ("Mr. Smith and Mrs. Jones", "Mister Smith and Missus Jones"),
    ("Dr. Brown", "Doctor Brown"),
    ("He lives on Elm Dr. in town", "He lives on Elm Drive in town"),
    ("12 Main St. is near St. Paul", "twelve Main Street is near Saint Paul"),
    ("He lives at 12 Main St. He is old.", "He lives at twelve Main Street. He is old."),
    ("apples, pears, etc.", "apples, pears, etcetera."),
    ("pets, e.g. cats", "pets, for example cats"),
    ("that is, i.e., this", "that is, that is, this"),
    ("cats vs. dogs", "cats versus dogs"),
    ("No. 5, vol. 3, p. 12", "Number five, volume three, page twelve"),
    ("No. That is all.", "No. That is all."),
    ("Prof. Lee, Ph.D.", "Professor Lee, P H D."),
    ("J. R. R. Tolkien", "J R R Tolkien"),
    ("vitamin C. She, John F. Kennedy", "vitamin C. She, John F Kennedy"),
    ("one,two.Three", "one, two. Three"),
    ("the U.S. Army", "the U S Army"),
    ("made in the U.S.A.", "made in the U S A."),
    # units
    ("5 km, 10 kg, 3 GHz", "five kilometers, ten kilograms, three gigahertz"),
    ("1 km", "one kilometer"),
    ("20 C degrees", "twenty degrees Celsius"),
    ("20\u00b0C or 68 \u2109", "twenty degrees Celsius or sixty-eight degrees Fahrenheit"),
    ("90\u00b0", "ninety degrees"),
    ("5m\u00b2", "five square meters"),
    ("100 km/h", "one hundred kilometers per hour"),
    ("6'2\" tall", "six feet two inches tall"),
    ("5-10 km", "five to ten kilometers"),
    ("10k users", "ten thousand users"),
    # Roman numerals
    ("Henry VIII", "Henry the eighth"),
    ("Chapter IV", "Chapter four"),
    ("World War II ended", "World War two ended"),
    ("John Paul II", "John Paul the second"),
    ("Then Henry I think", "Then Henry I think"),
    ("Chapter I.", "Chapter one."),
    ("Malcolm X and Section C", "Malcolm X and Section C"),
    ("George III's crown", "George the third's crown"),
    ("Apt. 4B, a 4K TV", "Apartment four B, a four K T V"),
    ("AD 79 to 44 BC", "A D seventy-nine to forty-four B C"),
    ("x<4, y >= 5", "x less than four, y at least five"),
    ("10^-3", "ten to the power of minus three"),
    ("10:15am\u201311:30am", "ten fifteen A M to eleven thirty A M"),
    ("1,00,000 or 20/20", "one hundred thousand or twenty twenty"),
    # telephone numbers
    ("Call (555) 123-4567", "Call five five five, one two three, four five six seven"),
    ("555-0199", "five five five, zero one nine nine"),
    (
        "+1 555-123-4567",
        "plus one, five five five, one two three, four five six seven",
    ),
    # acronyms
    ("NASA and the FBI", "NASA and the F B I"),
    ("two TVs, the CEO's", "two T V's, the C E O's"),
    ("he must STOP NOW", "he must STOP NOW"),
    ("they TELL US EVERYTHING", "they TELL US EVERYTHING"),
    # wholly in capitals
    ("STOP IT NOW", "Stop it now"),
    ("TELL US EVERYTHING", "Tell us everything"),
    ("MISTER JOHN", "Mister john"),
    ("MR. JOHN AND MRS SMITH", "Mister John and Missus Smith"),
    ("DR B", "Doctor B"),
    ("MEET DR B AT TEN. HE KNOWS", "Meet Doctor B at ten. He knows"),
    ("ST JOHN", "Saint John"),
    ("HE LIVES IN ELM ST", "He lives in Elm Street"),
    ("HE LIVES AT 12 MAIN ST. HE IS OLD", "He lives at twelve Main Street. He is old"),
    ("THE REP MET COL. LEE", "The rep met Colonel Lee"),
    ("HENRY VIII HAD SIX WIVES", "Henry the eighth had six wives"),
    ("I'M A MAN WHO SAW THE BBC AND THE U S A", "I'm a man who saw the B B C and the U S A"),
    ("FBI, CIA", "F B I, C I A"),
    ("NASA", "NASA"),
    # addresses and signs
    ("john.doe@example.com", "john dot doe at example dot com"),
    ("See https://www.example.org/a-b.", "See W W W dot example dot org slash a dash b."),
    ("visit example.com", "visit example dot com"),
    ("salt & pepper", "salt and pepper"),
    ("AT&T", "A T and T"),
    ("#5 and #tag", "number five and hashtag tag"),
    ("\u03c0 is ~3", "pi is about three"),
    # punctuation
    ("\u201cWait\u201d \u2014 it\u2019s\u2026", '"Wait" - it\'s...'),
    ("Hello (world).", "Hello, world."),
    ("What?!! No!!", "What? No!"),
    ("Hi  ,\tthere ;ok", "Hi, there; ok"),
    ("Title\n\nBody text", "Title. Body text"),
    ("smile \U0001f600 now", "smile now"),
    ("caf\u00e9 na\u00efve", "caf\u00e9 na\u00efve"),
    ("\uff28\uff45\uff4c\uff4c\uff4f\u3002", "Hello."),
    ("\u0663 cats", "three cats"),
    ("two- and three-year", "two and three-year"),
    ("well-known *facts*", "well-known facts"),
    ("...", ""),
    ("", ""),
    (" \u200b\n", ""),
]


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


REPEATED = """1|1 |a|$1,|1-|1/2 |A.|a@|a.|(|-|- |1:2|St. |I |'|!|?!|ABC |http://|+1 |\u00bd|5,|A1|;\
|,|1.5 km |- 1|.|^2|1^|CD |e.| |Mr. Smith paid $3.50 on 5/3/2024 at 3:45 pm. |\n\n"""


@pytest.mark.parametrize("unit", REPEATED.split("|"))
def test_ten_kilobytes_take_well_under_a_second(unit: str) -> None:
    text = (unit * 10_000)[:10_000]
    start = time.process_time()
    normalize(text)
    assert time.process_time() - start < 2.0  # of the processor; about 0.1 s
