"""Text to token ids: BPE, phonemes, characters; `load_tokenizer` reads any of them back."""

from latentspeech.text.tokenizers.bpe import BPETokenizer, BPETokenizerConfig
from latentspeech.text.tokenizers.character import CharacterTokenizer, CharacterTokenizerConfig
from latentspeech.text.tokenizers.loading import (
    TokenizerConfig,
    build_tokenizer,
    case_rule,
    load_tokenizer,
)
from latentspeech.text.tokenizers.misaki import MisakiTokenizer, MisakiTokenizerConfig
from latentspeech.text.tokenizers.phoneme import PhonemeTokenizer, PhonemeTokenizerConfig
from latentspeech.text.tokenizers.protocol import PAD_ID, UNK_ID, Tokenizer

__all__ = [
    "PAD_ID",
    "UNK_ID",
    "BPETokenizer",
    "BPETokenizerConfig",
    "CharacterTokenizer",
    "CharacterTokenizerConfig",
    "MisakiTokenizer",
    "MisakiTokenizerConfig",
    "PhonemeTokenizer",
    "PhonemeTokenizerConfig",
    "Tokenizer",
    "TokenizerConfig",
    "build_tokenizer",
    "case_rule",
    "load_tokenizer",
]
