"""The blocks of an EPUB, a ZIP file of XHTML pages with a list of their order.

The list is XML and is read by expat, which refuses entities here; the pages are read as HTML,
leniently, as they often are not well-formed.
"""

import posixpath
import zipfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.parsers import expat

from latentspeech.core.errors import InputError
from latentspeech.text.books.blocks import Block

_MOST_PAGE_BYTES = 32 * 2**20  # unpacked; a whole novel has one
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGE_TYPES = ("application/xhtml+xml", "text/html")
_HEADINGS = ("h1", "h2")
_BLOCKS = frozenset(
    "p div h1 h2 h3 h4 h5 h6 li blockquote td th dd dt section article body figcaption pre tr "  # noqa: SIM905
    "ul ol table header footer aside hr main".split()
)
_SKIPPED = frozenset({"head", "script", "style", "nav", "svg", "math", "rt", "rp"})
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr", "col", "area", "source"})


@dataclass(frozen=True)
class Epub:
    """What is read of an EPUB."""

    title: str | None
    author: str | None
    blocks: list[Block]


@dataclass(frozen=True)
class _Element:
    name: str  # without its namespace
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)


def read_epub(path: Path) -> Epub:
    """Reads title, author and text.

    Raises:
        InputError: the file is damaged, no EPUB, or protected against copying.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path)
    except (zipfile.BadZipFile, KeyError, expat.ExpatError, EOFError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).strip("'\"")
        raise InputError(
            f"{path} is no EPUB that can be read ({reason}); open it in a reader to see whether it "
            "is whole, or get it again"
        ) from None


def _read(archive: zipfile.ZipFile, path: Path) -> Epub:
    root = _first(_elements(_page(archive, _CONTAINER, path)), "rootfile")
    package = unquote(root.attributes["full-path"])
    elements = _elements(_page(archive, package, path))
    items = {
        one.attributes["id"]: one.attributes
        for one in elements
        if one.name == "item" and {"id", "href"} <= one.attributes.keys()
    }
    protected = _protected(archive, path)
    blocks: list[Block] = []
    for one in elements:
        if one.name != "itemref" or one.attributes.get("linear") == "no":
            continue
        item = items.get(one.attributes.get("idref", ""))
        if item is None or item.get("media-type") not in _PAGE_TYPES:
            continue
        if "nav" in item.get("properties", "").split():
            continue
        href = unquote(item["href"].partition("#")[0])
        name = posixpath.normpath(posixpath.join(posixpath.dirname(package), href))
        if name in protected:
            raise InputError(
                f"{path} is protected against copying, so it cannot be read; give a book without "
                "such protection"
            )
        blocks += page_blocks(_page(archive, name, path).decode("utf-8-sig", errors="replace"))
    return Epub(_text_of(elements, "title"), _text_of(elements, "creator"), blocks)


def page_blocks(page: str) -> list[Block]:
    """Returns the headings and paragraphs of an XHTML page."""
    parser = _PageParser()
    parser.feed(page)
    parser.close()
    parser.end_block()
    return parser.blocks


class _PageParser(HTMLParser):
    """Collects the text of each block; notes' marks and navigation are left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._heading: str | None = None  # the open heading of the first two levels
        self._skipped: list[str] = []  # the open elements from one that is skipped on

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._text.append("\n")
        if tag in _VOID:
            if tag in _BLOCKS:
                self.end_block()
            return
        kind = dict(attrs).get("epub:type") or ""
        if self._skipped or tag in _SKIPPED or kind in ("noteref", "pagebreak"):
            self._skipped.append(tag)
        elif tag in _BLOCKS:
            self.end_block()
            self._heading = tag if tag in _HEADINGS else self._heading

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            if tag in self._skipped:
                del self._skipped[len(self._skipped) - 1 - self._skipped[::-1].index(tag) :]
        elif tag in _BLOCKS:
            self.end_block()
            self._heading = None if tag == self._heading else self._heading

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self._text.append(data.replace("\n", " "))

    def end_block(self) -> None:
        lines = (" ".join(line.split()) for line in "".join(self._text).splitlines())
        text = "\n".join(line for line in lines if line)
        self._text = []
        if text:
            is_heading = self._heading is not None
            self.blocks.append(Block(text.replace("\n", " ") if is_heading else text, is_heading))


def _page(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    size = archive.getinfo(name).file_size
    if size > _MOST_PAGE_BYTES:
        raise InputError(
            f"{path}: {name} unpacks to {size / 2**20:,.0f} MiB; expected at most "
            f"{_MOST_PAGE_BYTES // 2**20}: this is no book"
        )
    return archive.read(name)


def _protected(archive: zipfile.ZipFile, path: Path) -> set[str]:
    """Returns the names of encrypted files; fonts often are, in books that are not protected."""
    if _ENCRYPTION not in archive.namelist():
        return set()
    elements = _elements(_page(archive, _ENCRYPTION, path))
    return {
        unquote(one.attributes.get("URI", "")) for one in elements if one.name == "CipherReference"
    }


def _elements(data: bytes) -> list[_Element]:
    """Returns the elements of an XML file in order; entities of its own are refused."""
    found: list[_Element] = []
    still_open: list[_Element] = []
    parser = expat.ParserCreate()

    def start(name: str, attributes: dict[str, str]) -> None:
        element = _Element(name.rpartition(":")[2], attributes)
        found.append(element)
        still_open.append(element)

    def end(_: str) -> None:
        still_open.pop()

    def characters(text: str) -> None:
        if still_open:
            still_open[-1].text.append(text)

    def entity(*_: object) -> None:
        raise InputError("an EPUB with entities of its own is not read; convert it with Calibre")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = characters, entity
    parser.Parse(data, True)
    return found


def _first(elements: list[_Element], name: str) -> _Element:
    for element in elements:
        if element.name == name:
            return element
    raise KeyError(f"no <{name}>")


def _text_of(elements: list[_Element], name: str) -> str | None:
    for element in elements:
        if element.name == name and (text := " ".join("".join(element.text).split())):
            return text
    return None
