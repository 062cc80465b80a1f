"""Reading a whole book into a file, part by part, so that it can stop and go on."""

from latentspeech.tts.audiobook.reader import BookReader

__all__ = ["BookReader"]
