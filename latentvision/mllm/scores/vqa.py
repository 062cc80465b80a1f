"""VQA accuracy: an answer is as right as people agree with it (Antol et al. 2015, 1505.00468).

Ten people answered each question. Against any nine of them an answer has min(n / 3, 1), where n of
the nine gave it; the accuracy is the mean over the ten choices of nine (VQAv2: arXiv 1612.00837).

The evaluation program of the data set decides what is the same answer, and this file does as it
does. The answer under test is in lower case, its punctuation goes, "two" is "2", "none" is "0",
articles go, and "dont" is "don't". Of people's answers only the punctuation goes, and only if the
ten are not all the same. A sign of punctuation is removed if a space is beside it anywhere in the
text, or if the text has a number like 1,000, and else becomes a space; periods before a digit stay.
"""

import re
from collections.abc import Sequence

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {"none": "0"} | {word: str(number) for number, word in enumerate(_NUMBERS)}
_ARTICLES = frozenset({"a", "an", "the"})
_CONTRACTIONS = (
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've "
    "hasn't haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am "
    "mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't 'ow's'at "
    "shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's "
    "someone'd someone'd've someone'll someone's something'd something'd've something'll "
    "that's there'd there'd've there're there's they'd they'd've they'll they're they've "
    "'twas wasn't we'd've we've weren't what'll what're what's what've when's where'd where's "
    "where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't "
    "wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've "
)
# A word that lacks one of its apostrophes, and what it becomes.
_COMPLETE = {
    word[:place] + word[place + 1 :]: word
    for word in _CONTRACTIONS.split()
    for place, letter in enumerate(word)
    if letter == "'"
}


def vqa_accuracy(answer: str, given: Sequence[str]) -> float:
    """The accuracy of an answer, 0 to 1.

    Args:
        answer: the text under test.
        given: the answers of people, ten in VQAv2.

    Raises:
        ValueError: there are fewer than two answers of people.
    """
    if len(given) < 2:
        raise ValueError(f"{len(given)} answers of people; expected ten, two at least: give all")
    answer = without_articles(without_punctuation(" ".join(answer.split())))
    if len(set(given)) > 1:
        given = [without_punctuation(one) for one in given]
    matches = [one == answer for one in given]
    total = sum(matches)
    return sum(min((total - match) / 3, 1.0) for match in matches) / len(given)


def without_punctuation(text: str) -> str:
    """A text without its punctuation, as this file's head says."""
    found = text
    in_number = _COMMA_IN_NUMBER.search(text) is not None
    for sign in _PUNCTUATION:
        is_removed = in_number or f"{sign} " in text or f" {sign}" in text
        found = found.replace(sign, "" if is_removed else " ")
    return _PERIOD.sub("", found)


def without_articles(text: str) -> str:
    """A text in lower case without articles, with digits and whole contractions."""
    words = [_DIGITS.get(word, word) for word in text.lower().split()]
    return " ".join(_COMPLETE.get(word, word) for word in words if word not in _ARTICLES)
