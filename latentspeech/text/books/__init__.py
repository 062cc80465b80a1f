"""Books as chapters of passages: plain text, Markdown and EPUB."""

from latentspeech.text.books.book import SUFFIXES, Book, Chapter, Passage, read_book

__all__ = ["SUFFIXES", "Book", "Chapter", "Passage", "read_book"]
