"""What a text says and how: mark-up, pronunciations, pauses and pace, and the pieces to speak."""

from latentspeech.text.reading.delivery import PLAIN, Delivery, Pauses
from latentspeech.text.reading.lexicon import Lexicon
from latentspeech.text.reading.pieces import Piece, Reading, plain_text, read_text

__all__ = ["PLAIN", "Delivery", "Lexicon", "Pauses", "Piece", "Reading", "plain_text", "read_text"]
