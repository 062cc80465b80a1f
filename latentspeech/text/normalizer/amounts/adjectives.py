"""Tells a measure that stands before a noun ('a $5 bill'), whose unit is singular, from others."""

import re

_ARTICLE = re.compile(r"\b[Aa]n?\s(?:single\s|whole\s|full\s|new\s)?$")
_DETERMINER = re.compile(
    r"\b(?:[Tt]h(?:e|is|at)|[Mm]y|[Hh](?:is|er)|[Ii]ts|[Oo]ur|[Yy]our|[Tt]heir|[Aa]nother|[Ee]ach|[Ee]very)\s$"
)
_WORD = re.compile(
    r"-[A-Za-z]|\s(?!(?:in|of|for|per|to|from|and|or|by|on|at|with|as|is|was)\b)[A-Za-z]"
)
# Words after 'the $5 ...' and 'the 20 kg ...' that are no noun, so that the measure stands alone.
_NOUN = re.compile(
    r"\s(?!(?:an?|the|of|and|or|nor|but|in|on|at|to|for|from|with|by|per|than|into|onto|as|if|so|that|which|who|whom|"
    r"when|where|while|after|before|until|since|because|through|between|above|below|under|over|around|is|are|was|"
    r"were|be|been|has|have|had|do|does|did|will|would|can|could|may|might|must|shall|should|went|goes|came|comes|"
    r"made|gave|took|got|each|every|all|more|less|again|away|back|ago|apart|off|out|up|down|later|i|you|he|she|it|"
    r"we|they|there|next|last|this|year|millions|billions|not|now|then|too|also|only|just|still|yet)\b)[a-z]{2,30}\b(?<!ed)(?<!ly)"
)
_LOOK_BACK = 16
_ALWAYS = re.compile(r"\s(?:bills?|notes?|banknotes?|coins?|gift cards?|vouchers?)\b")


def is_adjective(match: re.Match[str]) -> bool:
    """Whether the measure of `match` belongs to a noun after it.

    After 'a' it does if any word but a preposition follows; after 'the', 'my' or 'every' if a word
    follows that can be a noun.
    """
    text, start, end = match.string, match.start(), match.end()
    before = text[max(0, start - _LOOK_BACK) : start]
    if _ARTICLE.search(before):
        return _WORD.match(text, end) is not None
    return _DETERMINER.search(before) is not None and _NOUN.match(text, end) is not None


def is_before_cash(match: re.Match[str]) -> bool:
    """Whether 'bills', 'notes', 'coins' or the like follow, which always make an adjective."""
    return _ALWAYS.match(match.string, match.end()) is not None
