"""Letters have their names where a letter is meant; the article and the pronoun stay."""

import pytest

from latentspeech.text.normalizer import normalize
from latentspeech.text.pronunciation.letters import name_letters
from latentspeech.text.tokenizers.misaki import phonemes

SHOWN = str.maketrans({"\u1d00": "<A>", "\u026a": "<I>"})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("She got an A in the exam.", "She got an <A> in the exam."),
        ("the U S A and the C I A are", "the U S <A> and the C <I> <A> are"),
        ("work with A I and D N A all day", "work with <A> <I> and D N <A> all day"),
        ("A P I is down", "<A> P <I> is down"),
        ("A I is here.", "<A> <I> is here."),
        ("at nine A M today", "at nine <A> M today"),
        ("Take vitamin A", "Take vitamin <A>"),
        ("Take vitamin a.", "Take vitamin <A>."),
        ("A to Z", "<A> to Z"),
        ("A", "<A>"),
        ("A.", "<A>."),
        ("A, B and C", "<A>, B and C"),
        ("A B C", "<A> B C"),
        ("a, b, and c", "<A>, b, and c"),
        ("a squared plus b", "<A> squared plus b"),
        ("a plus b, but a plus for us", "<A> plus b, but a plus for us"),
        ("A is the first letter.", "<A> is the first letter."),
        ("the A team", "the <A> team"),
        ("Q and A", "Q and <A>"),
        ("Plan A failed, but plan B I think", "Plan <A> failed, but plan B I think"),
        ("the U I I like", "the U <I> I like"),
        ("I Q and I B M", "<I> Q and <I> B M"),
        ("the F B I was there and I was", "the F B <I> was there and I was"),
        ("A man saw a dog.", "A man saw a dog."),
        ("Once Upon A Time", "Once Upon A Time"),
        ("I saw A Star Is Born.", "I saw A Star Is Born."),
        ('She said, "A man is here."', 'She said, "A man is here."'),
        ("A U-turn, a B movie and a T-shirt", "A U-turn, a B movie and a T-shirt"),
        ("take a vitamin a day", "take a vitamin a day"),
        ("What a day! A storm came.", "What a day! A storm came."),
        ("I think I can.", "I think I can."),
    ],
)
def test_letters_and_articles(text: str, named: str) -> None:
    assert name_letters(text).translate(SHOWN) == named


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("She got an A.", "\u0283\u02cci \u0261\u0251t \u0250n \u02c8A"),
        ("the A team", "\u00f0i \u02c8A t\u02c8im"),
        ("DNA", "d\u02c8i \u02c8\u025bn \u02c8A"),
        ("AI", "\u02c8A \u02c8I"),
        ("A", "\u02c8A"),
        ("Why?", "w\u02c8I?"),
    ],
)
def test_phonemes_of_letters(text: str, spoken: str) -> None:
    assert phonemes(normalize(text)).rstrip(".") == spoken
