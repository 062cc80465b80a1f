"""Turns a text into the sentences that the engine writes, as the synthesizer does."""

from latentspeech.core.errors import InputError
from latentspeech.server.engine.speech import ReadSentence
from latentspeech.text.normalizer import normalize
from latentspeech.text.pronunciation import readable_part
from latentspeech.text.sentences import split_normalized
from latentspeech.text.tokenizers import MisakiTokenizer
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.synthesizer import MAX_SENTENCE_CHARACTERS

PAUSE_S = 0.25  # between two sentences


def read_text(model: TTSModel, text: str, continues: bool = False) -> list[ReadSentence]:
    """Returns the sentences of a text, each with the pause before it.

    Args:
        model: its tokenizer reads the sentences.
        text: written English.
        continues: whether sentences came before, so that the first one has a pause too.

    Raises:
        InputError: there is nothing to speak.
    """
    spoken = normalize(text)
    if not any(character.isalnum() for character in spoken):
        raise InputError(
            f"there is nothing to speak in the text {text[:40]!r}; give at least one word"
        )
    if isinstance(model.tokenizer, MisakiTokenizer):
        spoken = readable_part(spoken)
    pieces = split_normalized(spoken, MAX_SENTENCE_CHARACTERS)
    token_ids = model.tokenizer.encode_batch(pieces)
    return [
        ReadSentence(piece, ids, PAUSE_S if number or continues else 0.0)
        for number, (piece, ids) in enumerate(zip(pieces, token_ids, strict=True))
    ]
