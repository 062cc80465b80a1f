"""Turns a text into the sentences that the engine writes, as the synthesizer does."""

import re
from dataclasses import replace

from latentspeech.server.engine.speech import ReadSentence
from latentspeech.text.reading import PLAIN, Delivery, Pauses
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.synthesizer import Synthesizer
from latentspeech.tts.words.symbol_words import piece_symbols

_BLANK_LINE = re.compile(r"\s*\n[^\S\n]*\n")
_SENTENCE_ENDS = (".", "?", "!")


def read_text(
    model: TTSModel, text: str, delivery: Delivery = PLAIN, before: ReadSentence | None = None
) -> list[ReadSentence]:
    """Returns the sentences of a text, each with the pause before it.

    Args:
        model: its tokenizer reads the sentences.
        text: written English, or SSML if it begins with `<speak`. A blank line at its start begins
            a new paragraph.
        delivery: speed, pauses and the pronunciations of words.
        before: the sentence that is spoken before this text; None at the beginning of a speech.

    Raises:
        InputError: there is nothing to speak, or SSML is wrong.
        ConfigError: the pace is out of range, or the model cannot do what SSML asks.
    """
    reading = Synthesizer(model).reading(text, delivery)
    timed = model.layout.needs_symbol_times
    read = []
    for piece in reading.pieces:
        symbols = piece_symbols(model.tokenizer, reading, piece, delivery.speed, timed)
        ids = model.tokenizer.encode(piece.text) if symbols.ids is None else symbols.ids
        read.append(ReadSentence(symbols, ids, piece.pause_s))
    read[-1] = replace(read[-1], pause_after_s=reading.pause_after_s)
    # A break of SSML, before or after, takes the place of the pause between two texts.
    if before is not None and not before.pause_after_s and not read[0].pause_s:
        read[0] = replace(read[0], pause_s=_pause_s(before, text, delivery.pauses))
    return read


def _pause_s(before: ReadSentence, text: str, pauses: Pauses) -> float:
    if _BLANK_LINE.match(text):
        return pauses.paragraph_s
    ends = before.symbols.text.rstrip("\"'").endswith(_SENTENCE_ENDS)
    return pauses.sentence_s if ends else pauses.clause_s
