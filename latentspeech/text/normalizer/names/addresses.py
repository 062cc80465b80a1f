"""Reads web and mail addresses, and the addresses of machines ('10.0.0.1:80')."""

import re

from latentspeech.text.normalizer.numbers.number_words import cardinal, digits, in_pairs

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_TLDS = "com|org|net|edu|gov|io|ai|dev|co\\.uk|uk|de|fr|info|app|eu|ca|us|tv|me"
_URL = re.compile(
    rf"(?:(?:https?|ftp|s3|gs|ssh|file|git)://|(?<![\w.@-])www\.)[^\s<>\"]{{1,2000}}"
    rf"|(?<![\w.@-])(?:[a-z0-9-]{{1,63}}\.){{1,4}}(?:{_TLDS})\b(?:/[^\s<>\"]{{0,2000}})?(?![\w@])"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_MACHINE = re.compile(
    rf"(?<![\w.-])({_OCTET}(?:\.{_OCTET}){{3}})(?:/(\d{{1,2}}))?(?::(\d{{1,5}}))?(?![\w:/]|\.\d)"
)
_HOST_PORT = re.compile(r"(?<![\w.-])(localhost):(\d{2,5})(?![\w:])")
_NET_SIGNS = {
    ".": " dot ", "@": " at ", "/": " slash ", "-": " dash ", "_": " underscore ", ":": " colon ",
    "?": " question mark ", "=": " equals ", "&": " and ", "#": " hash ", "%": " percent ",
    "+": " plus ", "~": " tilde ",
}  # fmt: skip


def read_addresses(text: str) -> str:
    """'me@a.org' -> 'me at a dot org'; the scheme of a web address is left out."""
    text = _EMAIL.sub(lambda m: _read_address(m[0]), text)
    text = _URL.sub(lambda m: _read_address(m[0]), text)
    text = _MACHINE.sub(_read_machine, text)
    return _HOST_PORT.sub(lambda m: f"{m[1]} port {in_pairs(m[2])}", text)


def _read_address(address: str) -> str:
    body = address.rstrip(".,;:!?')]")
    tail = address[len(body) :]
    body = re.sub(r"^\w+://", "", body).rstrip("/")
    body = re.sub(r"^www(?=\.)", "W W W", body)
    return "".join(_NET_SIGNS.get(c, c) for c in body) + tail


def _read_machine(match: re.Match[str]) -> str:
    """'10.0.0.1:80' -> 'ten dot zero dot zero dot one, port eighty'."""
    parts = match[1].split(".")
    words = " dot ".join(digits(part) if len(part) > 2 else cardinal(part) for part in parts)
    words += f" slash {match[2]}" if match[2] else ""
    return words + (f", port {in_pairs(match[3])}" if match[3] else "")
