"""Subword tokens by sentencepiece (Kudo and Richardson 2018, arXiv 1808.06226): BPE or unigram.

They are trained on the normalised texts of a corpus. The files are tokenizer.json and
tokenizer.model.
"""

import hashlib
import io
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import CheckpointError, DataError
from latentspeech.core.storage.files import atomic_path
from latentspeech.text.normalizer import normalize
from latentspeech.text.normalizer.punctuation import KEPT_PUNCTUATION
from latentspeech.text.tokenizers.metadata import read_metadata, write_metadata
from latentspeech.text.tokenizers.protocol import (
    PAD,
    PAD_ID,
    UNK,
    UNK_ID,
    Case,
    in_case,
    spoken_text,
)

MODEL_NAME = "tokenizer.model"
# Each is a piece even if the corpus lacks it, since a sentence to speak may have it.
REQUIRED_CHARACTERS = string.ascii_letters + KEPT_PUNCTUATION
_MAX_LINE_BYTES = 65536


class BPETokenizerConfig(Config):
    """Settings of BPETokenizer."""

    kind: Literal["bpe"] = "bpe"
    vocab_size: int = Field(
        default=1024, ge=72, description="number of ids, <pad> and <unk> included"
    )
    model_type: Literal["bpe", "unigram"] = Field(
        default="bpe", description="how pieces are chosen: merges, or a unigram model"
    )
    case: Case = Field(
        default="keep", description="lower: small letters alone, in training and in speaking"
    )


class BPETokenizerMetadata(BPETokenizerConfig):
    """tokenizer.json of a BPETokenizer."""

    sha256: str = Field(description="SHA-256 of tokenizer.model, hex")


class BPETokenizer:
    """Subword pieces; build one with `train` or `load`."""

    def __init__(self, config: BPETokenizerConfig, model: bytes) -> None:
        import sentencepiece

        self.config = config
        self._model = model
        self._processor = sentencepiece.SentencePieceProcessor()
        self._processor.LoadFromSerializedProto(model)
        size = self._processor.GetPieceSize()
        if size != config.vocab_size:
            raise ValueError(f"the model has {size} pieces, expected {config.vocab_size}")

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        model_type: Literal["bpe", "unigram"] = "bpe",
        case: Case = "keep",
    ) -> "BPETokenizer":
        """Learns `vocab_size` pieces from `texts`; the same texts give the same pieces."""
        import sentencepiece

        settings = {"vocab_size": vocab_size, "model_type": model_type, "case": case}
        config = parse_config(BPETokenizerConfig, settings, origin="BPE tokenizer")
        spoken = [in_case(text, case) for text in map(normalize, texts) if text]
        if not spoken:
            raise DataError("no text to train a tokenizer on; expected at least one line of words")
        written = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.Train(
                sentence_iterator=iter(spoken),
                model_writer=written,
                vocab_size=vocab_size,
                model_type=model_type,
                pad_id=PAD_ID,
                pad_piece=PAD,
                unk_id=UNK_ID,
                unk_piece=UNK,
                bos_id=-1,
                eos_id=-1,
                unk_surface=UNK,
                character_coverage=1.0,
                required_chars="".join(dict.fromkeys(in_case(REQUIRED_CHARACTERS, case))),
                normalization_rule_name="identity",  # `normalize` has done it
                max_sentence_length=_MAX_LINE_BYTES,
                num_threads=1,
                minloglevel=2,
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise DataError(
                f"cannot train {vocab_size} pieces on {len(spoken)} texts: {reason}"
            ) from None
        return cls(config, written.getvalue())

    @property
    def vocab_size(self) -> int:
        """Number of ids, <pad> and <unk> among them."""
        return self.config.vocab_size

    def encode(self, text: str) -> list[int]:
        """The ids of one text."""
        return list(self._processor.EncodeAsIds(in_case(spoken_text(text), self.config.case)))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """The normalised text of `ids`, in the tokenizer's case."""
        outside = [i for i in ids if not 0 <= i < self.vocab_size]
        if outside:
            raise ValueError(f"token id {outside[0]} is outside 0 to {self.vocab_size - 1}")
        return str(self._processor.DecodeIds([int(i) for i in ids if i != PAD_ID]))

    def save(self, directory: Path) -> None:
        """Writes tokenizer.model and tokenizer.json into `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        with atomic_path(directory / MODEL_NAME) as temporary:
            temporary.write_bytes(self._model)
        digest = hashlib.sha256(self._model).hexdigest()
        values = {**self.config.model_dump(), "sha256": digest}
        write_metadata(directory, BPETokenizerMetadata(**values))

    @classmethod
    def load(cls, directory: Path) -> "BPETokenizer":
        """Reads what `save` wrote; CheckpointError when a file is missing or was exchanged."""
        metadata = read_metadata(directory, BPETokenizerMetadata)
        path = directory / MODEL_NAME
        try:
            model = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read ({error.strerror})") from None
        if hashlib.sha256(model).hexdigest() != metadata.sha256:
            raise CheckpointError(
                f"{path} is not the file that tokenizer.json names (its SHA-256 differs); "
                "it is damaged or of another tokenizer: copy the directory again"
            )
        config = BPETokenizerConfig(**metadata.model_dump(exclude={"sha256"}))
        try:
            return cls(config, model)
        except (ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path}: {error}") from None
