"""SSML: what each element does, and what a wrong document says in one line."""

import logging

import pytest

from latentspeech.core.errors import InputError
from latentspeech.text.reading.marked_text import Break, Run, source_text, written_words
from latentspeech.text.reading.ssml import is_ssml, parse_ssml


def source(inner: str) -> str:
    return " ".join(source_text(parse_ssml(f"<speak>{inner}</speak>")).split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<speak>Hi</speak>", True),
        ('\ufeff <?xml version="1.0"?>\n<speak version="1.1">Hi</speak>', True),
        ("<!DOCTYPE speak [<!ENTITY a 'b'>]><speak/>", True),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><speak>&a;</speak>", True),
        ("<speaker>Hi</speaker>", False),
        ("I said <speak>", False),
    ],
)
def test_a_document_is_known_by_its_beginning(text: str, expected: bool) -> None:
    assert is_ssml(text) == expected


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("Fish &amp; chips &lt; &#233;", "Fish & chips < \u00e9"),
        ('<sub alias="World Wide Web">WWW</sub> is', "World Wide Web is"),
        ('<say-as interpret-as="characters">aB1-</say-as>', "A B one dash"),
        ('<say-as interpret-as="digits">2024</say-as>', "two zero two four"),
        ('<say-as interpret-as="cardinal">-21</say-as>', "minus twenty-one"),
        ('<say-as interpret-as="ordinal">3rd</say-as>', "third"),
        ('<say-as interpret-as="date">3/4/2024</say-as>', "3/4/2024"),
        ("<s>One</s><s>Two.</s>", "One. Two."),
        ("<desc>not this</desc>but this", "but this"),
        ("<![CDATA[a < b]]>", "a < b"),
    ],
)
def test_what_is_read(inner: str, expected: str) -> None:
    assert source(inner) == expected


def test_paragraphs_sentences_and_breaks_are_boundaries() -> None:
    ssml = '<speak><p>One</p><p>Two</p> three<break time=".5s"/>four<break/></speak>'
    words, after = written_words(parse_ssml(ssml))
    assert [word.text for word in words] == ["One", "Two", "three", "four"]
    assert [word.new_paragraph for word in words] == [False, True, True, False]
    assert words[3].breaks == (0.5,)
    assert after == (0.4,)


def test_phonemes_take_the_place_of_a_word() -> None:
    ssml = (
        '<speak>A <phoneme alphabet="ipa" ph="t\u0259\u02c8me\u026ato\u028a">42</phoneme>!</speak>'
    )
    words, _ = written_words(parse_ssml(ssml))
    assert (words[1].text, words[1].read) == ("42!", "word!")
    assert words[1].phonemes == "t\u0259m\u02c8AtO"


def test_rates_multiply() -> None:
    ssml = (
        '<speak>a <prosody rate="50%">b <prosody rate="+50%">c</prosody></prosody> '
        '<prosody rate="x-fast">d</prosody><prosody rate="0.9">e</prosody></speak>'
    )
    rates = [part.rate for part in parse_ssml(ssml) if isinstance(part, Run) and part.text.strip()]
    assert rates == [1.0, 0.5, 0.75, 1.6, 0.9]


def test_what_changes_nothing_is_spoken_and_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    inner = '<emphasis>so</emphasis> <mstts:x>much</mstts:x> <prosody pitch="high">fun</prosody>'
    assert source(inner) == "so much fun"
    assert "<emphasis>, <mstts:x>, pitch of <prosody>" in caplog.text


@pytest.mark.parametrize(
    ("ssml", "message"),
    [
        ("<speak>a\n <b</speak>", "not well-formed.*line 2, column"),
        ("\n\n<speak>a <b</speak>\n", "not well-formed.*line 3, column"),
        ("<speak>a</speak> b", "not well-formed.*line 1"),
        ("<speak>a", "not well-formed"),
        ("<speak>&nbsp;</speak>", "undefined entity in line 1, column 8"),
        ("<speak>a\n<brake/></speak>", "line 2, column 1: <brake> is no element.*<break>"),
        ("<speak><break time='5'/></speak>", "the time of <break> is '5'; expected 0s to 60s"),
        ("<speak><break time='61s'/></speak>", "expected 0s to 60s"),
        ("<speak><break strength='huge'/></speak>", "strength of <break> is 'huge'"),
        ("<speak><prosody rate='9'>a</prosody></speak>", "9 times the voice's own pace"),
        ("<speak><prosody rate='quick'>a</prosody></speak>", "rate of <prosody> is 'quick'"),
        ("<speak><phoneme>a</phoneme></speak>", "<phoneme> has no ph"),
        ("<speak><phoneme ph='\u0295'>a</phoneme></speak>", r"has '\u0295' \(U\+0295\)"),
        (
            "<speak><phoneme ph='a' alphabet='x-sampa'>a</phoneme></speak>",
            "'x-sampa'; expected ipa",
        ),
        ("<speak><sub>a</sub></speak>", "<sub> has no alias"),
        ("<speak><sub alias='b'><s>a</s></sub></speak>", "<s> stands in <sub>"),
        ("<speak><say-as interpret-as='poem'>a</say-as></speak>", "'poem'; expected one of"),
        ("<speak><say-as interpret-as='digits'>one</say-as></speak>", "'one'; expected digits"),
        ("<!DOCTYPE speak SYSTEM 'x.dtd'><speak>a</speak>", "document type"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(ssml: str, message: str) -> None:
    with pytest.raises(InputError, match=f"(?s){message}"):
        parse_ssml(ssml)


def test_entities_cannot_grow() -> None:
    layers = "".join(f'<!ENTITY a{k + 1} "{f"&a{k};" * 10}">' for k in range(9))
    bomb = f'<!DOCTYPE speak [<!ENTITY a0 "ha">{layers}]><speak>&a9;</speak>'
    with pytest.raises(InputError, match="document type"):
        parse_ssml(bomb)


def test_a_break_has_its_length() -> None:
    assert Break(0.7) in parse_ssml("<speak>a<break strength='strong'/>b</speak>")


def test_space_before_a_declaration_is_no_trouble() -> None:
    ssml = '\ufeff\n <?xml version="1.0"?>\n<speak>Hi</speak>\n'
    assert source_text(parse_ssml(ssml)).strip() == "Hi"
