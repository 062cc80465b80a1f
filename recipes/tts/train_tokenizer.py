"""Makes the text tokenizer that a YAML file describes, from the transcripts of training cuts."""

import logging
from pathlib import Path

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.storage.files import atomic_directory
from latentspeech.data.cut_index import CutIndex
from latentspeech.text.tokenizers import BPETokenizerConfig, TokenizerConfig, build_tokenizer

logger = logging.getLogger(__name__)


class TokenizerRunConfig(Config):
    """All settings that determine a tokenizer."""

    tokenizer: TokenizerConfig = Field(description="kind and settings")
    max_texts: int = Field(
        200_000, ge=1, description="most transcripts to learn pieces from, evenly chosen"
    )


def train_tokenizer(run: TokenizerRunConfig, cuts: Path, out: Path) -> None:
    """Writes the tokenizer into the folder `out`, whole or not at all."""
    texts: list[str] = []
    if isinstance(run.tokenizer, BPETokenizerConfig):
        utterances = CutIndex(cuts)
        step = -(-len(utterances) // run.max_texts)
        texts = [utterances[index].text for index in range(0, len(utterances), step)]
    tokenizer = build_tokenizer(run.tokenizer, texts)
    with atomic_directory(out) as temporary:
        tokenizer.save(temporary)
    logger.info("%s tokenizer of %d ids: %s", run.tokenizer.kind, tokenizer.vocab_size, out)
