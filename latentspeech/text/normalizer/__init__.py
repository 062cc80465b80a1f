"""English text normalisation: written text in, words and a small set of punctuation out."""

from latentspeech.text.normalizer.normalizer import NormalizedText, normalize

__all__ = ["NormalizedText", "normalize"]
