"""cl100k_base, the paper's text tokenizer (appendix D), from its file; needs package tiktoken.

The file `cl100k_base.tiktoken` is OpenAI's and is not part of this project. Its 100,256 tokens and
the special tokens that OpenAI defines beside them take the ids up to 100,276.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentvision.mllm.tokens.text_tokenizer import check_ids, check_text

SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
SIZE = 100_277
# How cl100k_base divides text before BPE, as tiktoken documents it.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Cl100k:
    """The tokens of a `.tiktoken` file, which lists each token's bytes and rank."""

    def __init__(self, path: Path, sha256: str = SHA256, size: int = SIZE) -> None:
        """Reads the file.

        Args:
            path: the file `cl100k_base.tiktoken`.
            sha256: what the file's content must have.
            size: the number of ids that belong to it.

        Raises:
            ConfigError: package tiktoken is not installed.
            InputError: there is no such file.
            DataError: the file has another content.
        """
        try:
            import tiktoken
            from tiktoken.load import load_tiktoken_bpe
        except ModuleNotFoundError:
            raise ConfigError(
                "cl100k needs package tiktoken, which is not installed; run: pip install tiktoken"
            ) from None
        if not Path(path).is_file():
            raise InputError(f"no file of cl100k at {path}; give the path of cl100k_base.tiktoken")
        try:
            ranks = load_tiktoken_bpe(str(path), expected_hash=sha256)
        except ValueError as error:
            raise DataError(
                f"{path} is not cl100k_base.tiktoken ({' '.join(str(error).split())}); get it again"
            ) from None
        self.size = size
        self._encoding: Any = tiktoken.Encoding(
            "cl100k_base", pat_str=_WORDS, mergeable_ranks=ranks, special_tokens={}
        )
        self._num_ranks = len(ranks)

    def encode(self, text: str) -> list[int]:
        """The ids of a text; InputError if it is no Unicode text."""
        check_text(text)
        ids: list[int] = self._encoding.encode_ordinary(text)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; InputError if an id has no text."""
        check_ids(ids, self._num_ranks)
        text: str = self._encoding.decode(list(ids))
        return text
