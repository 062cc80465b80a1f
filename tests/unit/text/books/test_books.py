"""Books become chapters and passages, from each format."""

import logging
import zipfile
from pathlib import Path

import pytest

from latentspeech.core.errors import InputError
from latentspeech.text.books import Book, Passage, read_book

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
)
OPF = """<?xml version="1.0"?>
<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
<metadata><dc:title>The  Sea</dc:title><dc:creator>A. Writer</dc:creator></metadata>
<manifest>
<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="two%20b.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="c" href="cover.png" media-type="image/png"/>
</manifest>
<spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/><itemref idref="c"/></spine>
</package>"""
PAGES = {
    "OPS/text/one.xhtml": """<!DOCTYPE html><html><head><title>no</title></head><body>
        <h1>Part One</h1><h2>The <em>Tide</em></h2>
        <p>It came&nbsp;in<a epub:type="noteref" href="#n">12</a> at
        six.<br/>[heart]: Quickly!</p><script>no()</script>
        <ul><li>One</li><li>Two</ul></body></html>""",
    "OPS/two b.xhtml": "<html><body><div>Still <b>there</b>.</div><h2>Night</h2><p>End.",
    "OPS/nav.xhtml": "<html><body><nav><ol><li>no</li></ol></nav></body></html>",
}


def read(path: Path, text: str | None = None) -> Book:
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return read_book(path, lambda name: name in ("heart", "george"))


def epub(path: Path, **changed: str) -> Path:
    files = {"META-INF/container.xml": CONTAINER, "OPS/book.opf": OPF, **PAGES}
    files.update({name.replace("__", "/"): text for name, text in changed.items()})
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def titles(book: Book) -> list[str]:
    return [chapter.title for chapter in book.chapters]


def test_plain_text_begins_chapters_at_lines_that_say_so(tmp_path: Path) -> None:
    text = (
        "Once more.\n\nCHAPTER I.\nThe Tide\n\nIt came.\nIt went.\r\n\r\nChapter two of this was "
        "never written, as everyone knew who had\n\nPart II\n\nChapter 2: Night\n\nEnd.\n\n"
        "Epilogue\n\nLater."
    )
    book = read(tmp_path / "sea.txt", text)
    assert titles(book) == ["sea", "CHAPTER I. The Tide", "Part II. Chapter 2: Night", "Epilogue"]
    assert book.chapters[1].passages[1].text == "It came.\nIt went."
    assert len(book.chapters[1].passages) == 3


def test_markdown_begins_chapters_at_its_headings(tmp_path: Path) -> None:
    text = (
        "---\ntitle: x\n---\n# One #\nText.\nMore.\n### Small\nUnder it.\n\nTwo\n===\n"
        "```\n# no heading\n\n```\n* item\n"
    )
    book = read(tmp_path / "b.md", text)
    assert titles(book) == ["One", "Two"]
    assert [one.text for one in book.chapters[0].passages] == [
        "One",
        "Text.\nMore.",
        "Small",
        "Under it.",
    ]
    assert "# no heading" in book.chapters[1].passages[1].text


def test_brackets_name_a_voice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    text = "He came.\n[heart]: Hello,\nyou.\n[george]:Oh.\n[1]: note\n[hart]: who\n\nHe left."
    (chapter,) = read(tmp_path / "b.txt", text).chapters
    assert chapter.passages == (
        Passage("He came."),
        Passage("Hello,\nyou.", "heart"),
        Passage("Oh.\n[1]: note\n[hart]: who", "george"),
        Passage("He left."),
    )
    assert caplog.text.count("is no voice here") == 1
    assert "[hart]: is no voice here" in caplog.text


def test_an_epub_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    book = read(epub(tmp_path / "x.epub"))
    assert (book.title, book.author) == ("The Sea", "A. Writer")
    assert titles(book) == ["Part One. The Tide", "Night"]
    assert book.chapters[0].passages == (
        Passage("Part One"),
        Passage("The Tide"),
        Passage("It came in at six."),
        Passage("Quickly!", "heart"),
        Passage("One"),
        Passage("Two"),
        Passage("Still there."),
    )
    assert book.chapters[1].passages == (Passage("Night"), Passage("End."))


def test_books_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "no.epub").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"no\.epub is no EPUB that can be read"):
        read(tmp_path / "no.epub")
    with zipfile.ZipFile(tmp_path / "zip.epub", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(InputError, match=r"no EPUB that can be read .*container\.xml"):
        read(tmp_path / "zip.epub")
    encryption = '<x><CipherReference URI="OPS/text/one.xhtml"/></x>'
    path = epub(tmp_path / "drm.epub", **{"META-INF__encryption.xml": encryption})
    with pytest.raises(InputError, match="protected against copying"):
        read(path)
    bomb = '<!DOCTYPE p [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><package>&c;</package>'
    with pytest.raises(InputError, match="entities of its own"):
        read(epub(tmp_path / "bomb.epub", OPS__book_opf="", **{"OPS/book.opf": bomb}))
    with pytest.raises(InputError, match="book not found"):
        read(tmp_path / "none.txt")
    with pytest.raises(InputError, match=r"expected \.txt, \.md"):
        read(tmp_path / "a.pdf", "x")
    with pytest.raises(InputError, match="has no text to read"):
        read(tmp_path / "a.txt", " \n\n ")


def test_fonts_that_are_hidden_protect_nothing(tmp_path: Path) -> None:
    encryption = '<x><CipherReference URI="OPS/font.otf"/></x>'
    path = epub(tmp_path / "font.epub", **{"META-INF__encryption.xml": encryption})
    assert len(read(path).chapters) == 2
