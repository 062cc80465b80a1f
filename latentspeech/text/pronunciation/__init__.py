"""From normalised words to phonemes: letters, accents, names, and the readings of a word."""

from latentspeech.text.pronunciation.pronouncer import Pronouncer
from latentspeech.text.pronunciation.scripts import foreign_words, readable_part

__all__ = ["Pronouncer", "foreign_words", "readable_part"]
