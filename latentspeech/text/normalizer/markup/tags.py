"""Removes HTML: tags, comments, scripts and styles; turns entities into their characters.

Only names that HTML has are taken for tags, so 'a < b' and '<name>' stay. Tags of blocks end the
line that they stand in.
"""

import html
import re

_BLOCKS = frozenset(
    """address article aside blockquote body br dd div dl dt figcaption figure footer form h1
    h2 h3 h4 h5 h6 head header hr html main nav ol p pre section table tbody tfoot thead
    title tr ul""".split()  # noqa: SIM905
)
_INLINE = frozenset(
    """a abbr audio b big button center cite code del em font i img input ins kbd label link
    mark meta option q s samp script select small source span strike strong style sub
    summary sup svg textarea time tt u var video wbr""".split()  # noqa: SIM905
)
_CELLS = frozenset(("td", "th"))
_UNHEARD = frozenset(("script", "style"))
_VALUE = r"""(?:"[^"<>]{0,2000}+"|'[^'<>]{0,2000}+'|[^\s"'=<>`]{1,500}+)"""
_ATTRIBUTE = (
    rf"\s++(?:[A-Za-z][\w:.-]{{0,40}}+\s{{0,3}}+=\s{{0,3}}+{_VALUE}"
    r"|(?:disabled|checked|hidden|controls|async|defer|open|selected|required)\b)"
)
_TAG = re.compile(
    rf"<(/?)([A-Za-z][A-Za-z0-9]{{0,15}}+)((?:{_ATTRIBUTE}){{0,20}}+)\s{{0,9}}+/?>|<!--|-->"
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_SUPERSCRIPT = re.compile(r"\s*(-?\d{1,3}|n)\s*</sup>", re.IGNORECASE)


def strip_tags(text: str) -> str:
    """'<p>Tom &amp; <b>Jerry</b></p>' -> 'Tom & Jerry' between blank lines."""
    if "<" in text:
        text = _without_tags(text)
    return _ENTITY.sub(lambda m: html.unescape(m[0]), text) if "&" in text else text


def _without_tags(text: str) -> str:
    """Walks from tag to tag; what stands between the tags of a script or comment is left out."""
    parts: list[str] = []
    place = 0
    skipped_until = ""  # the name of the closing tag, "-->", or "" where text is heard
    skipped_from = 0
    for match in _TAG.finditer(text):
        name, is_closing = (match[2] or "").lower(), match[1] == "/"
        if skipped_until:
            if match[0] == skipped_until or (is_closing and name == skipped_until):
                skipped_until, place = "", match.end()
            continue
        if match[0] == "<!--" or (name in _UNHEARD and not is_closing):
            parts.append(text[place : match.start()])
            skipped_until, skipped_from = name or "-->", match.end()
        elif (spoken := _spoken(match, name, is_closing)) is not None:
            parts += [text[place : match.start()], spoken]
            place = match.end()
    parts.append(text[skipped_from if skipped_until else place :])  # it was never closed
    return "".join(parts)


def _spoken(match: re.Match[str], name: str, is_closing: bool) -> str | None:
    """What stands in place of a tag; None where it is no tag."""
    if name == "li":
        return "\n\n" if is_closing else "\n- "
    if name in _BLOCKS:
        return "\n\n"
    if name in _CELLS:
        return ", " if is_closing else ""
    if name == "sup" and not is_closing:
        return "^" if _SUPERSCRIPT.match(match.string, match.end()) else ""
    return "" if name in _INLINE else None
