"""Removes the marks of Markdown within a line: links, images, emphasis, code, escapes.

The text of a link is kept and its address left out; of an image, its description is kept. Code
keeps its text.
"""

import re

_ADDRESS = r"<?(?:[^()<>\s]|\([^()\s]{0,200}\)){0,2000}+>?(?:\s{1,2}[\"'][^\"']{0,300}[\"'])?"
_LINK = re.compile(rf"!?\[([^\[\]]{{0,1000}}+)\]\({_ADDRESS}\)")
_REFERENCE = re.compile(r"!?\[([^\[\]]{1,1000}+)\]\[[^\[\]]{0,100}\]")
_DEFINITION = re.compile(
    r"^ {0,3}\[[^\[\]]{1,200}+\]:[ \t]+"
    r"(?:<[^<>\s]{1,2000}+>|[^\s:]{1,40}:\S{1,2000}+|/\S{0,2000}+).*$",
    re.MULTILINE,
)
_FOOTNOTE = re.compile(r"\[\^[\w-]{1,40}\]:?")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]{1,2000}+)>")
_CODE = re.compile(r"(?<![`\w])(`{1,2})(?!`)([^`\n]{1,1000}+)\1(?![`\w])")
_OPENS = re.compile(
    r"(?<![\w*)])(?<!\d )(?:\*{1,3}|~~)(?=[^\s*~])|(?<![\w*)])(?<=\d )\*{1,3}(?=[^\s*\d])"
)
_CLOSES = re.compile(r"(?<=[^\s*~])(?:\*{1,3}|~~)(?![\w*(]| ?\d)")
_OPENS_LOW = re.compile(r"(?<![\w/.\\])_{1,3}(?=[^\W_])")
_CLOSES_LOW = re.compile(r"(?<=[^\s_])_{1,3}(?![\w/.(]|\s?[=(])|(?<=\w)_{1,3}(?=\.(?:\s|$))")
_ESCAPED = re.compile(r"\\([*_`#\[\]()+!|>~-])(?!\w*\\)")


def strip_marks(text: str) -> str:
    """'**See** [the manual](https://a.org)' -> 'See the manual'."""
    if "[" in text or "<" in text:
        text = _FOOTNOTE.sub("", _DEFINITION.sub("", text))
        text = _REFERENCE.sub(r"\1", _LINK.sub(r"\1", text))
        text = _AUTOLINK.sub(lambda m: m[1].removeprefix("mailto:"), text)
    if "`" in text:
        text = _CODE.sub(r"\2", text)
    if "*" in text or "~~" in text:
        text = _CLOSES.sub("", _OPENS.sub("", text))
    if "_" in text:
        text = _CLOSES_LOW.sub("", _OPENS_LOW.sub("", text))
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
